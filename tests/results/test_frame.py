"""A card in Python and in a notebook: its frame, its repr, its HTML."""

import sys
from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest

from robench.core.errors import RobenchError
from robench.results import cards
from robench.results.cards import Card
from robench.results.frame import SCORES
from robench.results.notebook import html
from robench.results.scores import parts, score
from robench.results.stats import Estimate
from robench.results.summary import accuracy, difference, groups
from robench.results.words import answer

CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"


@pytest.fixture(scope="module")
def card() -> Card:
    twn, fp = (cards.read(CARDS / f"{name}_resnet20.digits.robench-v1.json") for name in ("twn", "fp"))
    return replace(twn, twin_card=fp)


def test_the_frame_has_a_line_for_each_score_and_row(card: Card) -> None:
    frame = card.to_frame()
    rows = groups(card.suite)
    assert len(frame) == len(parts(card.suite)) + len(rows)
    scores, lines = frame[frame.section == SCORES], frame[frame.section != SCORES]
    noise = score(card, "noise")
    assert isinstance(noise, Estimate)
    assert scores.set_index("condition").loc["noise", ["accuracy", "low", "high"]].tolist() == [
        noise.value,
        noise.low,
        noise.high,
    ]
    assert card.twin_card is not None
    for group, line in zip(rows, lines.to_dict("records"), strict=True):
        own, gap = accuracy(card, group), difference(card, card.twin_card, group)
        assert line["condition"] == group.label
        assert line["accuracy"] == own.value if isinstance(own, Estimate) else isnan(line["accuracy"])
        if isinstance(gap, Estimate):
            found = [line[name] for name in ("difference", "difference_low", "difference_high")]
            assert found == [gap.value, gap.low, gap.high]
    assert lines.level[lines.condition == "fgsm 8/255"].tolist()[0] == pytest.approx(8 / 255)
    assert lines.level[lines.condition == "gaussian"].isna().all()
    assert frame.attrs["fingerprint"] == card.data.fingerprint
    assert frame.attrs["commit"] == card.provenance["commit"]


def test_without_pandas_it_says_what_to_install(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RobenchError, match="pip install pandas"):
        card.to_frame()


def test_repr_is_one_line(card: Card) -> None:
    assert repr(card) == (
        "<Card twn_resnet20: 1000 images of digits, robench-v1 version 2, 142 measurements, "
        f"clean {card.measurements[0].correct}/1000, twin fp_resnet20>"
    )


def test_the_notebook_shows_the_answer_and_escapes_what_a_card_says(card: Card) -> None:
    text = card._repr_html_()
    assert answer(card, card.twin_card).partition("'")[0] in text
    assert text.count("<tr>") == 2 + 1 + len(parts(card.suite)) + len(groups(card.suite))
    hostile = replace(card, model=replace(card.model, name="<img src=x onerror=alert(1)>"), twin_card=None)
    assert "<img" not in html(hostile)
    assert "&lt;img src=x" in html(hostile)
