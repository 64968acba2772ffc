"""What a table for a paper holds: its columns, its bold cells, and the same numbers in every format."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.types import CLEAN, Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results import cards, markdown
from robench.results.exports import FORMATS, csv_text, json_text, latex, latex_text, markdown_text
from robench.results.summary import percent
from robench.results.tables import PaperTable, paper_table
from robench.results.twins import among, beside

CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"
NAMES = ("fp_resnet20", "twn_resnet20", "bwn_resnet20", "bnn_resnet20")
N = 1000
HOSTILE = (
    "*[50%] & #1_{x} ~^\\input{y} $z$",
    "=1+1|<img src=x onerror=alert(1)>",
    "-->\n# \"q\" 'ö' 漢",
    "% \\end{tabular}",
)


def published() -> list[ResultCard]:
    return [cards.read(CARDS / f"{name}.cifar10.robench-v1.n1017.json") for name in NAMES]


def table(found: list[ResultCard], *columns: str) -> PaperTable:
    return paper_table(found, [among(card, found) for card in found], columns)


def make(name: str, right: np.ndarray) -> ResultCard:
    suite = Suite("mine", 1, N, 0, (CLEAN, Condition("distortion", "sign")))
    rows = tuple(Measurement(c, 0, top1, top1) for c, top1 in zip(suite.conditions, (right, right[:0]), strict=True))
    return ResultCard(ModelCard(name, sha256=name), suite, DataCard("d", "here", N, "f"), rows)


def first(count: int) -> np.ndarray:
    return np.arange(N) < count


def test_columns_are_facts_scores_rows_conditions_and_patterns() -> None:
    found = published()
    default = table(found)
    assert (list(default.facts), list(default.columns)) == (["bits", "size"], ["clean", "noise", "attacks", "weights"])
    chosen = table(found, "twin", "attack/pgd/0.0039*", "gaussian 0.[24]", "pgd (20) 1/255, rounded", "noise")
    assert list(chosen.facts) == ["twin"]
    assert list(chosen.columns) == [
        "pgd (20) 1/255",
        "gaussian 0.2",
        "gaussian 0.4",
        "pgd (20) 1/255, rounded",
        "noise",
    ]
    with pytest.raises(RobenchError, match="no column is named 'nois'; did you mean noise"):
        table(found, "nois")


def test_bold_is_the_best_and_what_cannot_be_told_from_it() -> None:
    found = [make("a", first(900)), make("b", first(899)), make("c", first(600)), make("d", first(899)[::-1])]
    cells = table(found, "clean", "sign").columns
    assert [cell.bold for cell in cells["clean"]] == [True, True, False, True]
    assert not any(cell.bold for cell in cells["sign"])
    assert not any(cell.bold for cell in table(found[:1]).columns["clean"])


def test_cards_of_other_images_or_suites_are_not_in_one_table() -> None:
    card = make("a", first(900))
    other = replace(card, data=replace(card.data, fingerprint="e"))
    with pytest.raises(RobenchError, match="not measured on the same images under the same suite"):
        table([card, other])


def numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.])[-+]?\d+\.\d(?![\d.])", text)


def signed(values: list[str]) -> list[float]:
    return [float(value) for value in values]


def test_every_format_and_the_board_have_the_same_numbers() -> None:
    """Of each line: values, intervals and differences with theirs, in the order of the columns."""
    found = published()
    shown = table(found, "clean", "noise", "attacks", "weights", "pgd (20) 1/255", "ternary")
    record = json.loads(json_text(shown))["rows"]
    read = list(csv.DictReader(line for line in csv_text(shown).splitlines() if not line.startswith("#")))
    tex = latex(shown).partition("\\midrule")[2].replace("$", "").split("\\\\")
    lines = [line for line in markdown_text(shown).splitlines() if line.startswith("| ")][2:]
    board = markdown.leaderboard(found)
    for place, card in enumerate(found):
        values, gaps = [], []
        for cells in shown.columns.values():
            cell = cells[place]
            own, gap = percent(cell.value), percent(cell.gap, signed=True)
            values += numbers(own)
            gaps += numbers(gap)
            assert own in board
            assert gap in board
        row = next(index for index, line in enumerate(tex) if latex_text(card.model.name) in line)
        assert numbers(tex[row]) == values
        assert numbers(lines[place].replace("*", "")) == [
            n
            for c in shown.columns.values()
            for n in numbers(percent(c[place].value) + " " + percent(c[place].gap, signed=True))
        ]
        if gaps:
            assert numbers(tex[row + 1]) == gaps
        plain = {name: value for name, value in record[place].items() if name != "model" and "bold" not in name}
        ours = [v for n, v in plain.items() if "difference" not in n and isinstance(v, float)]
        theirs = [v for n, v in plain.items() if "difference" in n and isinstance(v, float)]
        assert (ours, theirs) == (signed(values), signed(gaps))
        for name, value in record[place].items():
            assert read[place][name] == ("" if value is None else str(value))


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_says_what_its_numbers_are_of(form: str) -> None:
    found = published()
    text = FORMATS[form](table(found))
    suite, data = found[0].suite, found[0].data
    for fact in (f"{suite.name} version {suite.version}", data.fingerprint, found[1].provenance["commit"]):
        assert fact in text
    assert text.endswith("\n")


def test_without_intervals_and_differences_there_are_none() -> None:
    shown = table(published(), "clean")
    for form in FORMATS.values():
        text = form(shown, intervals=False, differences=False).partition("column)")[2]
        assert "91.2" in text
        assert "89.2" not in text
        assert "-0.5" not in text


def test_a_name_is_data_in_every_format() -> None:
    found = [make(name, first(900)) for name in HOSTILE]
    shown = table(found, "clean", "sign")
    read = list(csv.reader(io.StringIO("".join(csv_text(shown).partition("model,")[1:]))))
    assert [line[0].lstrip("'") for line in read[1:]] == list(HOSTILE)
    assert not any(line[0].startswith(("=", "-")) for line in read)
    assert [row["model"] for row in json.loads(json_text(shown))["rows"]] == list(HOSTILE)
    comment, end, body = markdown_text(shown).partition("\n-->\n")
    assert end
    assert "-->" not in comment
    assert "<img" not in body
    assert len(body.strip().splitlines()) == 2 + len(HOSTILE)
    assert latex_text(HOSTILE[0]) == (
        "{*}{[}50\\%{]} \\& \\#1\\_\\{x\\} \\textasciitilde{}\\textasciicircum{}\\textbackslash{}input\\{y\\} \\$z\\$"
    )
    code = [line for line in latex(shown).splitlines() if not line.startswith("%")]
    assert [line for line in code if "end{tabular}" in line] == ["\\end{tabular}"]


def test_latex_compiles(tmp_path: Path) -> None:
    compiler = next(filter(shutil.which, ("pdflatex", "tectonic")), None)
    if compiler is None:
        pytest.skip("neither pdflatex nor tectonic is here to compile a table")
    hostile = [make(name, first(900)) for name in HOSTILE]
    body = latex(table(published(), "architecture", "clean", "noise", "ternary")) + latex(
        table(hostile, "clean", "sign")
    )
    (tmp_path / "t.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{body}\\end{{document}}\n"
    )
    flags = ["-interaction=nonstopmode", "-halt-on-error"] if compiler == "pdflatex" else []
    done = subprocess.run([compiler, *flags, "t.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").is_file()


def test_the_twin_is_found_beside_its_card() -> None:
    fp, twn, *_ = published()
    found = beside(twn, CARDS)
    assert found is not None
    assert found.model.sha256 == fp.model.sha256
    assert beside(fp, CARDS) is None
    assert beside(replace(twn, twin=("fp_resnet20", "0" * 64)), CARDS) is None
