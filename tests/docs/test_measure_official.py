"""Which attacks the official ones are set beside, and what the page says of a card."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from robench import zoo
from robench.core.types import Condition, DataCard, Measurement, ModelCard
from robench.results.cards import Card


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    monkeypatch.delitem(sys.modules, "measure_official", raising=False)


def test_networks_that_were_trained_against_attacks_meet_the_budget_of_their_training() -> None:
    from measure_official import epsilon_of

    budgets = {}
    for name in ("twn_resnet20", "at_fp_resnet20"):
        folder = zoo.find(name, "digits")
        assert folder is not None
        budgets[name] = epsilon_of(zoo.read_card(folder))
    assert budgets["twn_resnet20"] == Fraction(1, 255)
    assert budgets["at_fp_resnet20"] > Fraction(1, 255)


def test_the_protocol_is_that_of_the_suite_within_one_budget() -> None:
    from measure_official import suite_at

    clean, *ours, official = suite_at(Fraction(1, 255), 8).conditions
    assert (clean.kind, official.name) == ("clean", "autoattack:standard")
    assert {c.name for c in ours} == {"fmn", "apgd", "apgd_targeted", "square"}
    assert {c.level for c in ours} == {1 / 255}
    assert {c.setting("via") for c in ours} == {"", "twin", "smooth"}


def test_a_row_says_what_fell_to_whom() -> None:
    from measure_official import row_of, suite_at, table

    suite = suite_at(Fraction(1, 255), 4)

    def outcome(condition: Condition) -> Measurement:
        right = {"clean": [1, 1, 1, 0], "autoattack:standard": [1, 0, 1, 0], "fmn": [1, 1, 0, 0]}
        bits = np.array(right.get(condition.name, [1, 1, 1, 0]), bool)
        return Measurement(condition, 0, bits, bits, seconds=2.0)

    measurements = tuple(map(outcome, suite.conditions))
    card = Card(ModelCard("net"), suite, DataCard("cifar10", "made.npz", 4, "0"), measurements)
    row = row_of(card, Fraction(1, 255))
    *_, line = table([row])
    seconds = 2 * (len(suite.conditions) - 2)
    assert line == f"| net | 1/255 | 75.0 | 50.0 | 50.0 | 1 | 1 | {seconds} | 2 |"
