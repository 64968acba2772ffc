"""The minimum over attacks, and who found it, by hand."""

from dataclasses import replace

import numpy as np

from robench.core.types import CLEAN, Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results.best_known import Best, best_known, budgets, sheets
from robench.results.markdown import leaderboard
from robench.results.standing import REMEASURED, REPORTED, WITNESSED
from robench.results.summary import MISSING

N = 10


def attack(name: str, level: float, **params: str) -> Condition:
    return Condition("attack", name, level, tuple(sorted(params.items())))


def right(*images: int) -> np.ndarray:
    return np.isin(np.arange(N), images)


SMALL, LARGE = 1 / 255, 2 / 255
OUTCOMES = {
    CLEAN: right(0, 1, 2, 3, 4, 5, 6, 7),
    attack("apgd", SMALL): right(0, 1, 2, 3, 4, 5),
    attack("apgd", LARGE): right(0, 1, 2, 3, 6),  # 6 fell at the smaller epsilon
    attack("square", SMALL): right(0, 1, 2, 3, 4, 5, 6, 7),
    attack("square", LARGE): right(0, 1, 2, 5),
    attack("apgd", 0.5, norm="l2"): right(0),
}


def make(outcomes: dict[Condition, np.ndarray]) -> ResultCard:
    rows = tuple(Measurement(c, 0, top1, top1) for c, top1 in outcomes.items())
    suite = Suite("mine", 1, N, 0, tuple(OUTCOMES))
    return ResultCard(ModelCard("mine", sha256="s"), suite, DataCard("d", "here", N, "f"), rows)


def test_the_minimum_and_its_finders() -> None:
    card = make(OUTCOMES)
    levels = budgets(card.suite)
    assert list(levels) == ["linf"]  # one attack alone needs no table in L2
    small, large = best_known(card, levels["linf"])
    assert isinstance(small, Best)
    assert isinstance(large, Best)
    assert (small.accuracy.value, large.accuracy.value) == (0.6, 0.3)
    assert small.found == {"apgd": (2, 2), "square": (0, 0)}
    assert large.found == {"apgd": (4, 1), "square": (4, 1)}


def test_an_attack_that_does_not_apply_takes_nothing_and_one_that_is_missing_all() -> None:
    no_square = {c: (np.zeros(0, bool) if c.name == "square" else top1) for c, top1 in OUTCOMES.items()}
    card = make(no_square)
    small, _ = best_known(card, budgets(card.suite)["linf"])
    assert isinstance(small, Best)
    assert list(small.found) == ["apgd"]
    unfinished = make({c: top1 for c, top1 in OUTCOMES.items() if c.name != "square"})
    assert best_known(unfinished, budgets(card.suite)["linf"]) == [MISSING, MISSING]


def test_the_sheets_say_so() -> None:
    values, finders = sheets(make(OUTCOMES).suite, [make(OUTCOMES), make(no_clean())])
    assert values.header == ["model", "1/255", "2/255"]
    assert values.rows[0][1].startswith("60.0 [")
    assert finders.header == ["model", "apgd", "square"]


def no_clean() -> dict[Condition, np.ndarray]:
    return {c: top1 for c, top1 in OUTCOMES.items() if c != CLEAN}


def test_two_cards_of_one_name_are_two_rows() -> None:
    card = make(OUTCOMES)
    other = replace(card, model=replace(card.model, sha256="t"))
    assert all(len(sheet.rows) == 2 for sheet in sheets(card.suite, [card, other]))


def found_later(standing: str = REMEASURED, sha256: str = "s", finder: str = "A. Finder") -> ResultCard:
    """An attack at an epsilon between the two, to which all but three images fall, and one fewer in 8 bits."""
    condition = attack("mine", 1.5 / 255)
    top1 = right(0, 1, 5)
    suite = Suite("attacks-1", 1, N, 0, (CLEAN, condition))
    data, model = DataCard("d", "here", N, "f"), ModelCard("mine", sha256=sha256)
    rounded = right(0, 1, 5, 6)
    rows = (
        Measurement(CLEAN, 0, OUTCOMES[CLEAN], OUTCOMES[CLEAN]),
        Measurement(condition, 0, top1, top1, rounded=rounded),
    )
    return ResultCard(model, suite, data, rows, provenance={"finder": finder}, standing=standing)


def test_a_later_and_lower_value_replaces_a_higher_one_with_its_finder() -> None:
    card = make(OUTCOMES)
    small, large = best_known(card, budgets(card.suite)["linf"], [found_later()])
    assert isinstance(small, Best)
    assert isinstance(large, Best)
    assert (small.accuracy.value, large.accuracy.value) == (0.6, 0.2)  # only budgets that hold it
    assert large.found["mine by A. Finder"] == (5, 1)
    best, finders = sheets(card.suite, [card], [found_later()])
    assert best.rows[0][2].startswith("20.0")
    assert finders.header == ["model", "apgd", "square", "mine by A. Finder"]
    assert finders.rows == [["mine", "4 (1)", "4 (0)", "5 (1)"]]


def test_a_witness_proves_what_falls_in_8_bits() -> None:
    card = make(OUTCOMES)
    *_, large = best_known(card, budgets(card.suite)["linf"], [found_later(WITNESSED)])
    assert isinstance(large, Best)
    assert large.found["mine by A. Finder"] == (4, 1)


def test_what_nobody_checked_or_is_of_other_weights_lowers_nothing() -> None:
    card = make(OUTCOMES)
    others = [
        found_later(REPORTED),
        found_later(sha256="other"),
        replace(found_later(), data=DataCard("d", "x", N, "g")),
    ]
    levels = budgets(card.suite)["linf"]
    assert best_known(card, levels, others) == best_known(card, levels)


def test_a_finder_is_text() -> None:
    card = make(OUTCOMES)
    card = replace(card, measurements=tuple(replace(row, rounded=row.top1) for row in card.measurements))
    page = leaderboard([card], [found_later(finder="<script>|x")])
    assert "<script>" not in page
    assert "mine by &lt;script>\\|x" in page
