import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results.drawing import save
from robench.results.figures import PAPER, curve, draw, panels

CONDITIONS = (
    Condition("clean", "clean"),
    *(Condition("corruption", "gaussian", level) for level in (1, 2, 3)),
    *(Condition("attack", "pgd", level / 255, (("steps", 20),)) for level in (1, 2)),
    Condition("attack", "fgsm", 1 / 255),
    *(Condition("distortion", "power", level) for level in (0.5, 2)),
)


def make_card(name: str, right: int) -> ResultCard:
    rows = []
    for index, condition in enumerate(CONDITIONS):
        n = 0 if name == "twn" and condition.name == "power" else 100
        top1 = np.arange(n) < right - 3 * index
        rows.append(Measurement(condition, 0, top1, top1))
    suite = Suite("mine", 1, 100, 0, CONDITIONS)
    return ResultCard(ModelCard(name), suite, DataCard("d", "here", 100, "f"), tuple(rows))


CARDS = [make_card("fp", 90), make_card("twn", 80)]


def test_a_panel_is_a_condition_at_several_levels() -> None:
    assert [panel.title for panel in panels(CARDS)] == ["gaussian", "pgd (20)", "power"]


def test_a_curve_begins_at_the_clean_accuracy_and_leaves_out_what_does_not_apply() -> None:
    gaussian, pgd, power = panels(CARDS)
    assert [(x, estimate.value) for x, estimate in curve(CARDS[0], gaussian)] == [
        (0, 0.9),
        (1, 0.87),
        (2, 0.84),
        (3, 0.81),
    ]
    assert [x for x, _ in curve(CARDS[1], pgd)] == pytest.approx([0, 1, 2])
    assert [x for x, _ in curve(CARDS[0], power)] == [0.5, 2]
    assert curve(CARDS[1], power) == []


def test_equal_cards_give_equal_files_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = draw(CARDS, tmp_path / "a", "figure")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")  # what matplotlib takes for the time, where it writes one
    second = draw(CARDS, tmp_path / "b", "figure")
    assert [path.name for path in first] == ["figure.svg", "figure.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert "<dc:date>" not in first[0].read_text()
    assert first[1].stat().st_size > 10_000


def test_a_figure_shows_its_numbers(tmp_path: Path) -> None:
    few, many = (draw([make_card("fp", right)], tmp_path / str(right), "figure")[0] for right in (50, 90))
    assert few.read_text() != many.read_text()


@pytest.mark.parametrize(("width", "inches"), [("one", 3.4), ("two", 7.0)])
def test_a_figure_for_a_paper_is_as_wide_as_its_columns(width: str, inches: float, tmp_path: Path) -> None:
    files = [draw(CARDS, tmp_path / name, "figure", PAPER[width], ("pdf", "pdf")) for name in "ab"]
    assert [[path.name for path in found] for found in files] == [["figure.pdf"]] * 2
    first, second = (found[0].read_bytes() for found in files)
    assert first == second
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", first)
    assert box is not None
    assert float(box[1]) == pytest.approx(72 * inches, abs=0.01)
    assert b"/Type3" not in first


def test_conditions_are_chosen_and_curves_still_begin_at_the_clean_accuracy() -> None:
    assert [panel.title for panel in panels(CARDS, "corruption/*")] == ["gaussian"]
    assert curve(CARDS[0], panels(CARDS, "corruption/*")[0])[0][0] == 0
    assert panels(CARDS, "attack/fgsm") == []


def test_a_legend_shows_every_name_as_it_is(tmp_path: Path) -> None:
    names = ("_net", "a$b$", "$\\frac$", "<b>&")
    (path,) = draw([make_card(name, 90) for name in names], tmp_path, "figure", formats=("svg",))
    ET.fromstring(path.read_text())
    told = re.findall("<!-- (.*?) -->", path.read_text())
    assert {" _net", "a$b$", "$\\frac$"} <= {name.replace("\\$", "$") for name in told}


def test_other_images_and_single_levels_are_one_sentence(tmp_path: Path) -> None:
    other = replace(CARDS[0], data=DataCard("d", "here", 100, "e"))
    with pytest.raises(RobenchError, match="not measured on the same images"):
        draw([CARDS[0], other], tmp_path, "x")
    bare = replace(CARDS[0], suite=replace(CARDS[0].suite, conditions=CONDITIONS[:2]))
    with pytest.raises(RobenchError, match="nothing to plot"):
        draw([bare], tmp_path, "x")


def test_a_figure_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    class OnAFullDisk:
        def savefig(self, path: Path, **settings: object) -> None:
            Path(path).write_text("half")
            raise OSError("No space left on device")

    (tmp_path / "x.svg").write_text("old")
    with pytest.raises(OSError, match="No space"):
        save(OnAFullDisk(), tmp_path, "x")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.svg", "old")]
