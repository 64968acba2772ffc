from pathlib import Path

import pytest

from robench.core.errors import NotHereError, RobenchError
from robench.core.plugins import load_plugin, loaded_plugin


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_runs_once_and_its_neighbours_can_be_imported(tmp_path: Path) -> None:
    written(tmp_path, "VALUE = 3", "neighbour_of_a_plugin.py")
    path = written(tmp_path, "from neighbour_of_a_plugin import VALUE\nseen = [VALUE]")
    module = load_plugin(path)
    module.seen.append(4)
    assert load_plugin(tmp_path / "." / "mine.py") is module
    assert loaded_plugin(path) is module
    assert module.seen == [3, 4]


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first, second = (load_plugin(written(tmp_path / folder, f"WHERE = {folder!r}", "same.py")) for folder in ("a", "b"))
    assert (first.WHERE, second.WHERE) == ("a", "b")
    assert first.__name__ != second.__name__


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n\nimport nothere_at_all", "line 3: ModuleNotFoundError: No module named 'nothere_at_all'"),
        ("def f(:\n    pass", "line 1: SyntaxError: invalid syntax"),
        ("def f():\n    return 1 / 0\n\n\nf()", "line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
        (
            "from robench.core.registry import Registry\n\nthings = Registry('thing', 'robench.core')\n"
            "for _ in range(2):\n    things.add('twice', 1)",
            "line 5: a thing named 'twice' is registered already",
        ),
    ],
)
def test_a_broken_file_is_one_sentence_with_its_line(text: str, sentence: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RobenchError) as caught:
        load_plugin(path)
    assert str(caught.value).startswith(f"the plug-in {path}, {sentence}")
    assert loaded_plugin(path) is None


def test_a_file_that_is_not_there_or_not_python_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="there is no plug-in"):
        load_plugin(tmp_path / "nothing.py")
    with pytest.raises(RobenchError, match=r"must be a Python file; call it mine\.py"):
        load_plugin(written(tmp_path, "", "mine.txt"))
