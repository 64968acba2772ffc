"""Conditions in one line, and plug-ins, as a user types them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robench.cli.main import app
from robench.core import plugins
from robench.core.errors import RobenchError
from robench.corruptions import CORRUPTIONS
from robench.results import cards

SMALL = ["--model", "digits/tr_none_nc", "--twin", "none", "--dataset", "digits", "--n-images", "32"]
STRIPES = """
import numpy as np
from robench.corruptions import register

@register("stripes", amounts=(0.1, 0.2, 0.3, 0.4, 0.5))
def stripes(images, amount, draws):
    \"\"\"Every second column becomes white by a share.\"\"\"
    result = images.copy()
    result[..., ::2] = np.maximum(result[..., ::2], np.float32(amount))
    return result
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def robench(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


@pytest.fixture
def stripes(here: Path):
    """A plug-in, which other tests do not see."""
    len(CORRUPTIONS)
    before, loaded = dict(CORRUPTIONS._entries), dict(plugins._loaded)
    (here / "stripes.py").write_text(STRIPES)
    yield here / "stripes.py"
    CORRUPTIONS._entries = before
    plugins._loaded = loaded


def fresh() -> None:
    """As a new process finds it."""
    CORRUPTIONS._entries.pop("stripes", None)
    plugins._loaded.clear()


def test_conditions_in_one_line_are_measured_kept_and_written(here: Path) -> None:
    lines = ["--attack", "torchattacks:PGDL2@0.5,steps=2", "--corruption", "gaussian@0.1", "--fault", "bit_error@1e-3"]
    first = robench("evaluate", *SMALL, *lines)
    assert first.exit_code == 0, first.output
    assert "torchattacks:PGDL2 keeps its budget in L2" in first.stderr
    (path,) = (here / "runs").glob("tr_none_nc.digits.one-line-*.json")
    names = [measurement.condition.name for measurement in cards.read(path).measurements]
    assert names == ["clean", "gaussian", "torchattacks:PGDL2", "bit_error"]
    again = robench("evaluate", *SMALL, *lines, "--json")
    assert "4 of 4 measurements are stored already" in again.stderr
    # One of them alone is another suite, whose card stands beside the first, and is found in the store.
    assert "2 of 2 measurements" in robench("evaluate", *SMALL, *lines[2:4]).stderr
    assert len(list((here / "runs").glob("*.one-line-*.json"))) == 2


def test_a_suite_beside_a_line_is_refused() -> None:
    result = robench("evaluate", *SMALL, "--suite", "quick", "--attack", "pgd@8/255")
    assert result.exit_code == 2
    assert "--attack stands for a suite of its own; leave out --suite" in " ".join(result.stderr.split())


def test_help_has_an_example_of_each() -> None:
    text = " ".join(robench("evaluate", "--help").output.split())
    for example in ("pgd@8/255,steps=20", "gaussian@0.1", "gaussian@0.2,draws=5", "bit_error@1e-3", "--plugin"):
        assert example in text


def test_a_plugin_is_listed_and_measured_and_measured_again_when_edited(stripes: Path) -> None:
    listed = robench("list", "corruptions", "--plugin", str(stripes))
    assert "Every second column becomes white by a share." in listed.output
    line = ["--corruption", "stripes@2", "--plugin", str(stripes)]
    first = robench("evaluate", *SMALL, *line)
    assert first.exit_code == 0, first.output
    assert "stripes" in first.stdout
    assert "2 of 2 measurements are stored already" in robench("evaluate", *SMALL, *line).stderr
    stripes.write_text(STRIPES.replace("::2", "::3"))
    fresh()
    assert "1 of 2 measurements are stored already" in robench("evaluate", *SMALL, *line).stderr


def test_a_file_may_be_a_plugin_and_bring_the_model(stripes: Path) -> None:
    model = (
        "\nimport torch\ndef model():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))\n"
    )
    stripes.write_text(STRIPES + model)
    words = ["--model", f"{stripes}:model", *SMALL[2:], "--corruption", "stripes@2", "--plugin", str(stripes)]
    result = robench("evaluate", *words)
    assert result.exit_code == 0, result.output


def test_a_broken_plugin_is_one_sentence(here: Path) -> None:
    (here / "bad.py").write_text("x = 1\nimport nothere_at_all\n")
    for words in (["list", "attacks"], ["evaluate", *SMALL, "--suite", "quick"]):
        result = robench(*words, "--plugin", "bad.py")
        assert result.exit_code == 2
        said = " ".join(result.stderr.split())
        assert said == "error: the plug-in bad.py, line 2: ModuleNotFoundError: No module named 'nothere_at_all'"


def test_an_edit_within_the_same_second_is_seen(here: Path) -> None:
    (here / "quick.py").write_text("VALUE = 1\n")
    assert plugins.run_file("quick_edit", here / "quick.py").VALUE == 1
    (here / "quick.py").write_text("VALUE = 2\n")
    assert plugins.run_file("quick_edit", here / "quick.py").VALUE == 2


def test_an_option_that_is_there_twice_is_refused() -> None:
    from robench.cli.options import parse_options

    assert parse_options(["a=1", "b=x"]) == {"a": 1, "b": "x"}
    with pytest.raises(RobenchError, match="--option bits is there twice"):
        parse_options(["bits=2", "bits=4"])
