import sys
from types import ModuleType

import pytest

from robench.core.errors import RobenchError
from robench.core.optional import import_optional


def test_a_missing_library_is_one_sentence() -> None:
    with pytest.raises(RobenchError, match="pip install no_such_library"):
        import_optional("no_such_library")


def test_a_torchvision_of_another_torch_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "needs_vision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RobenchError, match=r"matching pair: pip install -c constraints\.txt torch torchvision"):
        import_optional("needs_vision")


def test_a_library_that_is_there_is_given() -> None:
    assert isinstance(import_optional("json"), ModuleType)
    assert "json" in sys.modules
