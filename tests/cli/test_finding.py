"""What was just evaluated is found by the name that was typed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robench.cli.main import app

NET = """
import torch
from torch import nn

def make():
    print("building")
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
"""


def robench(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def evaluate(*words: str) -> Result:
    return robench("evaluate", "--dataset", "digits", "--twin", "none", "--n-images", "16", *words)


def test_show_finds_what_was_measured_of_a_factory_and_under_a_name(here: Path) -> None:
    assert evaluate("--model", "net.py:make", "--attack", "fgsm@1/255").exit_code == 0
    assert evaluate("--model", "net.py:make", "--name", "mine", "--attack", "fgsm@1/255").exit_code == 0
    assert "16 images of digits" in robench("show", "net.py:make").stdout
    assert "16 images of digits" in robench("show", "mine").stdout
    assert "no model is named 'other'" in robench("show", "other").stderr


def test_compare_takes_the_newest_cards_that_can_be_compared(here: Path) -> None:
    suite = ("--suite", "quick", "--conditions")
    assert evaluate("--model", "tr_none_c", "--model", "tr_none_nc", *suite, "c*").exit_code == 0
    assert evaluate("--model", "tr_none_c", *suite, "clean").exit_code == 0
    done = robench("compare", "tr_none_c", "tr_none_nc")
    assert done.exit_code == 0
    assert "speckle" in done.stdout


def test_what_a_factory_prints_is_not_in_the_json(here: Path) -> None:
    done = evaluate("--model", "net.py:make", "--attack", "fgsm@1/255", "--json")
    assert done.stdout.startswith("{")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "tr_none_c", "--model", "tr_none_nc", "--name", "a", "--name", "a"), "are given one name"),
        (("--model", "tr_none_c", "--name", "n" * 300), "a name has at most 100 signs"),
        (("--model", "tr_none_c", "--corruption", "gaussian"), "needs a severity from 1 to 5, or an amount"),
    ],
)
def test_names_and_levels_that_do_not_do(words: tuple[str, ...], sentence: str, here: Path) -> None:
    done = evaluate(*words)
    assert done.exit_code == 2
    assert sentence in done.stderr
