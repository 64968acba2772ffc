"""robench table, robench cite, robench show: on the published cards."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robench.cli.main import app

CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"
NAMES = ("twn_resnet20", "fp_resnet20", "bwn_resnet20")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for name in NAMES:
        for path in CARDS.glob(f"{name}.digits.robench-v1.*"):
            shutil.copy(path, tmp_path / "runs")
    return tmp_path


def robench(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


def test_a_table_has_the_models_that_were_asked_for_and_finds_their_twins(here: Path) -> None:
    result = robench("table", "twn_resnet20", "bwn_resnet20")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| twn_resnet20", "| bwn_resnet20"]
    assert rows[2].count("<br>") == 4  # the twin is in the folder, not in the table


def test_rows_and_columns_are_chosen(here: Path) -> None:
    words = ["--rows", "fp*", "--rows", "twn_resnet20", "--columns", "bits", "--columns", "noise", "--format", "json"]
    rows = json.loads(robench("table", *NAMES, *words, "--no-intervals", "--no-differences").stdout)["rows"]
    assert [list(row) for row in rows] == [["model", "bits", "noise", "noise, bold"]] * 2
    assert [row["model"] for row in rows] == ["fp_resnet20", "twn_resnet20"]
    assert "no card is of a model 'twm'; known: bwn_resnet20" in robench("table", *NAMES, "--rows", "twm").stderr
    assert "no column is named 'nose'; did you mean noise" in robench("table", *NAMES, "--columns", "nose").stderr
    assert robench("table", *NAMES, "--columns", "nose").exit_code == 2


def test_a_table_goes_into_a_file(here: Path) -> None:
    result = robench("table", *NAMES, "--format", "latex", "--out", "t.tex")
    assert result.stdout == "wrote t.tex\n"
    assert "\\begin{tabular}" in (here / "t.tex").read_text()


def test_show_tells_what_was_measured(here: Path) -> None:
    text = robench("show", "digits/twn_resnet20").stdout
    assert "runs/twn_resnet20.digits.robench-v1.json" in text
    assert "noise (20 conditions)" in text
    assert "twn_resnet20 is 11 times smaller than fp_resnet20" in text
    assert "Measure it again: robench evaluate --model digits/twn_resnet20" in text
    nothing = robench("show", "digits/bc_resnet20").stdout
    assert "No results are in runs or leaderboards/cards." in nothing
    assert "Measure it: robench evaluate --model digits/bc_resnet20" in nothing
    assert "card.toml" not in nothing


def test_show_passes_over_a_damaged_card(here: Path) -> None:
    (here / "runs" / "twn_resnet20.digits.robench-v1.json").write_text("{")
    assert "No results are in" in robench("show", "digits/twn_resnet20").stdout


def test_cite_prints_robench_the_model_and_the_suite() -> None:
    alone = robench("cite").stdout
    assert alone.count("@") == 1
    model = robench("cite", "digits/twn_resnet20").stdout
    assert "@misc{li2016ternary," in model
    assert "@misc{alpaydin1998optical," in model
    both = robench("cite", "digits/twn_resnet20", "--suite", "robench-v1").stdout
    assert "@inproceedings{madry2018towards," in both
    assert "@inproceedings{hendrycks2019benchmarking," in both
    assert both.count("@misc{li2016ternary,") == 1
    assert robench("cite", "nothing").exit_code == 2
