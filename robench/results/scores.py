"""One number for each part of a suite: what a network's accuracy is under noise, attacks, and errors of its weights.

A score is a mean of accuracies: over the levels of a family of conditions first, then over families, each with equal
weight, so that neither more levels nor more variants of one thing count for more. What each kind of condition lets
count stands in its ``part``, ``counts``, ``family`` and ``worst_case``; docs/scores.md says it in words. There is no
score of all parts together.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import lcm
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from robench.core.kinds import kind_of
from robench.core.types import Condition, ResultCard, Suite
from robench.results import stats
from robench.results.stats import Estimate
from robench.results.summary import MISSING, by_level, outcomes_of, together

T = TypeVar("T")
Outcomes = npt.NDArray[np.bool_]
"""Of one level of a family: [draws, images]."""


def parts(suite: Suite) -> dict[str, tuple[Condition, ...]]:
    """The parts of a suite that have a score, in its order, and the conditions that each is made of."""
    found: dict[str, list[Condition]] = {}
    for condition in suite.conditions:
        kind = kind_of(condition)
        if kind.part and kind.counts(condition):
            found.setdefault(kind.part, []).append(condition)
    return {part: tuple(conditions) for part, conditions in found.items()}


def score(card: ResultCard, part: str) -> Estimate | str:
    """The score of one part with its 95% interval, in [0, 1], or the sign that stands for it.

    There is none where one of its conditions was not measured (MISSING) or does not apply (NOT_APPLICABLE): a mean over
    fewer conditions could not be compared with the others'.

    The interval is that of a two-way analysis of variance over draws and images; Wilson's where every condition has the
    same outcomes.
    """
    outcomes = _families(card, card.suite, part)
    if isinstance(outcomes, str):
        return outcomes
    if (same := _alike(outcomes)) is not None:
        return stats.wilson(int(same.sum()), len(same))
    return stats.crossed_sum(_blocks(outcomes)).as_share()


def score_difference(card: ResultCard, other: ResultCard, part: str) -> Estimate | str:
    """The score minus another network's, paired by image and draw, with its 95% interval, or MISSING."""
    found = _compared(card, other, part, stats.paired_difference, stats.crossed_sum)
    return MISSING if found is None else found


def score_p(card: ResultCard, other: ResultCard, part: str) -> float | None:
    """Two-sided p-value of equal scores: McNemar's where every condition has the same outcomes; None without scores."""
    return _compared(card, other, part, stats.mcnemar, stats.crossed_sum_p)


def families(conditions: Iterable[Condition]) -> list[list[Condition]]:
    """Conditions of one part by family, in their order; a score gives each family equal weight."""
    grouped: dict[tuple[str, str], list[Condition]] = {}
    for condition in conditions:
        grouped.setdefault((condition.kind, kind_of(condition).family(condition)), []).append(condition)
    return list(grouped.values())


Families = list[list[npt.NDArray]]
"""For each family, for each of its levels (or conditions): [draws, images]."""


def _compared(
    card: ResultCard,
    other: ResultCard,
    part: str,
    alike: Callable[[Outcomes, Outcomes], T],
    crossed: Callable[[list[npt.NDArray]], T],
) -> T | None:
    """What one of two functions makes of two scores, image by image; None where one of the networks has none.

    Args:
        card, other: the networks.
        part: whose score.
        alike: for outcomes that are the same in every condition and draw, of both networks.
        crossed: for the differences of weighted outcomes, by number of draws.
    """
    ours, theirs = (_families(c, card.suite, part) for c in (card, other))
    if isinstance(ours, str) or isinstance(theirs, str) or card.data != other.data:
        return None
    first, second = _alike(ours), _alike(theirs)
    if first is not None and second is not None:
        return alike(first, second)
    return crossed(_blocks(_minus(ours, theirs)))


def _families(card: ResultCard, suite: Suite, part: str) -> Families | str:
    """The outcomes that a score is made of, or the sign that stands for it."""
    grouped = families(parts(suite).get(part, ()))
    if not grouped:
        return MISSING
    found: Families = []
    for conditions in grouped:
        outcomes = [(condition, outcomes_of(card, together(condition))) for condition in conditions]
        known = [(condition, rows) for condition, rows in outcomes if not isinstance(rows, str)]
        if len(known) < len(outcomes):
            return next(rows for _, rows in outcomes if isinstance(rows, str))
        worst = kind_of(conditions[0]).worst_case
        found.append(_standing(known) if worst else [rows for _, rows in known])
    return found


def _standing(outcomes: Iterable[tuple[Condition, Outcomes]]) -> list[Outcomes]:
    """Which images stand against all attacks at each level: what falls at one falls at all that are larger, too.

    The adversarial image that fooled a network lies within every larger budget.
    """
    return [row[None] for row in np.logical_and.accumulate(by_level(outcomes))]


def _alike(outcomes: Families) -> Outcomes | None:
    """The outcomes of every condition and draw where they are all the same; else None."""
    rows = np.concatenate([rows for family in outcomes for rows in family])
    return rows[0] if (rows == rows[0]).all() else None


def _minus(ours: Families, theirs: Families) -> Families:
    return [[a.astype(int) - b for a, b in zip(*pair, strict=True)] for pair in zip(ours, theirs, strict=True)]


def _blocks(outcomes: Families) -> list[npt.NDArray]:
    """The weighted outcomes, added up where the number of draws is the same: [draws, images]; their means add up to it.

    Whole numbers are added and divided once: the same score on every processor, whatever the order of additions.
    """
    scale = lcm(*(len(outcomes) * len(family) for family in outcomes))
    blocks: dict[int, npt.NDArray] = {}
    for family in outcomes:
        weight = int(Fraction(scale, len(outcomes) * len(family)))
        for rows in family:
            blocks[len(rows)] = blocks.get(len(rows), 0) + weight * rows.astype(np.int64)
    return [block / scale for block in blocks.values()]
