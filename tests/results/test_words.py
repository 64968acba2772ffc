"""The answer in words follows its rules, case by case, and says nothing that the numbers do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robench.core.types import CLEAN, Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results import cards
from robench.results.compare import compare
from robench.results.stats import Estimate
from robench.results.summary import percent
from robench.results.words import Finding, _sentence, answer, told

N = 1000
NOISE = (Condition("corruption", "gaussian", 1), Condition("corruption", "speckle", 1))
PGD = Condition("attack", "pgd", 1 / 255)
CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"


def make(name: str, right: dict[Condition, np.ndarray], size: int = 0) -> ResultCard:
    rows = tuple(
        Measurement(c, 0, top1, top1, rounded=top1 if c.kind == "attack" else top1[:0]) for c, top1 in right.items()
    )
    suite = Suite("mine", 1, N, 0, tuple(right))
    model = ModelCard(name, sha256=name, stored_bytes=size)
    return ResultCard(model, suite, DataCard("digits", "here", N, "f"), rows)


def first(count: int) -> np.ndarray:
    return np.arange(N) < count


def last(count: int) -> np.ndarray:
    return first(count)[::-1]


TWIN = make("fp", {CLEAN: first(900), PGD: first(500)}, 1_094_931)


def test_better_worse_and_the_same() -> None:
    ours = make("twn", {CLEAN: first(890), PGD: first(560)}, 98_736)
    text = answer(ours, TWIN)
    assert text.startswith("twn is 11 times smaller than fp (99 kB against 1,095 kB). On 1,000 images of digits, ")
    assert "without noise it loses 1 point (89.0 percent, -1.0 [" in text
    assert ". Under attack it gains 6.0 points (56.0 percent, +6.0 [" in text
    assert "Worse than its twin in 1 of 2 rows: clean and input noise, clean (-1.0 [" in text
    assert "Better than its twin in 1 of 2 rows: attacks, pgd 1/255 (+6.0 [" in text


def test_it_says_to_within_only_what_the_whole_interval_keeps() -> None:
    near, far = first(900), last(900)  # the same accuracy, on the same images and on others
    text = answer(make("twn", {CLEAN: near, PGD: first(500)}), TWIN)
    assert (
        "without noise it keeps its twin's accuracy to within a point (90.0 percent, +0.0 [-0.2, +0.2] points)" in text
    )
    text = answer(make("twn", {CLEAN: far, PGD: first(500)}), TWIN)
    assert "without noise a difference cannot be told (90.0 percent, +0.0 [-2.8, +2.8] points)" in text
    mixed = first(900) & ~first(60) | last(60)
    text = answer(make("twn", {CLEAN: mixed, PGD: first(500)}), TWIN)
    assert "without noise a difference cannot be told (90.0 percent, +0.0 [-2.2, +2.2] points)" in text


@pytest.mark.parametrize(
    ("gap", "p", "verdict"),
    [
        (Estimate(0.02, 0.01, 0.03), 0.01, 1),
        (Estimate(-0.02, -0.03, -0.01), 0.01, -1),
        (Estimate(0.02, 0.01, 0.03), 0.06, 0),
        (Estimate(0.02, -0.001, 0.03), 0.01, 0),
    ],
)
def test_told_needs_the_corrected_test_and_the_interval(gap: Estimate, p: float, verdict: int) -> None:
    assert told(gap, p) == verdict


def test_without_a_twin_it_tells_what_there_is() -> None:
    assert answer(replace(TWIN, measurements=TWIN.measurements[:1])) == (
        "fp takes 1,095 kB. On 1,000 images of digits, without noise its accuracy is 90.0 [88.0, 91.7] percent. "
        "Under attack: not measured. There is no twin here to compare it with."
    )


def test_what_does_not_apply_and_what_the_twin_lacks() -> None:
    nothing = np.zeros(0, bool)
    ours = make("twn", {CLEAN: first(900), PGD: nothing})
    assert "Under attack: n/a." in answer(ours, TWIN)
    half = replace(TWIN, measurements=TWIN.measurements[:1])
    assert "percent; its twin was not measured." in answer(make("t", {CLEAN: first(9), PGD: first(5)}), half)


def test_a_difference_that_rounds_to_nothing_is_told_as_such() -> None:
    finding = Finding("under noise", Estimate(0.9, 0.89, 0.91), Estimate(-0.0004, -0.0006, -0.0002), 0.001)
    assert _sentence(finding, 0.001, TWIN).startswith("under noise it loses less than 0.1 points (90.0 percent")


def test_a_difference_that_the_correction_takes_away_is_told_as_such() -> None:
    finding = Finding("under noise", Estimate(0.6, 0.57, 0.63), Estimate(-0.035, -0.065, -0.005), 0.03)
    assert _sentence(finding, 0.09, TWIN) == (
        "under noise a difference cannot be told after Holm's correction (60.0 percent, -3.5 [-6.5, -0.5] points)"
    )


def test_without_a_row_in_common_none_is_counted() -> None:
    ours, theirs = (replace(TWIN, measurements=rows) for rows in (TWIN.measurements[:1], TWIN.measurements[1:]))
    assert "rows" not in answer(ours, theirs)


def test_sizes() -> None:
    same = make("a", {CLEAN: first(9)}, 1000)
    larger = make("b", {CLEAN: first(9)}, 3600)
    assert answer(same, same).startswith("a is as large as a (1,000 bytes against 1,000 bytes).")
    assert answer(larger, same).startswith("b is 3.6 times larger than a (3,600 bytes against 1,000 bytes).")


def test_a_doubt_is_told() -> None:
    rows = (replace(TWIN.measurements[0], flags=("random: dice inside",)), TWIN.measurements[1])
    assert answer(replace(TWIN, measurements=rows)).endswith("1 row of its table is flagged as doubtful.")


def test_only_the_largest_rows_are_named() -> None:
    conditions = {CLEAN: first(900), **{Condition("corruption", name, 1): first(900) for name in "abcd"}}
    ours = {condition: first(700 + 10 * place) for place, condition in enumerate(conditions)}
    text = answer(make("twn", ours), make("fp", conditions))
    worse = text.partition("Worse than its twin in 5 of 5 rows: ")[2]
    assert worse.startswith("clean and input noise, clean (-20.0 [")
    assert "; and 2 more. Better than its twin in none of 5 rows." in worse


@pytest.mark.parametrize("name", ["twn_resnet20", "bc_resnet20", "int8_resnet20"])
def test_on_published_cards_every_number_is_one_of_the_tables(name: str) -> None:
    ours, twin = (cards.read(CARDS / f"{model}.cifar10.robench-v1.n1017.json") for model in (name, "fp_resnet20"))
    text = answer(ours, twin)
    rows = compare(ours, twin)
    worse = [row for row in rows if told(row.difference, row.p_holm) < 0 and "rounded" not in row.section]
    assert f"Worse than its twin in {len(worse) or 'none'} of" in text
    for row in sorted(worse, key=lambda row: row.difference.value)[:3]:
        assert f"{row.condition} ({percent(row.difference, signed=True)})" in text
