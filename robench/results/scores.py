"""One number for each part of a suite: what a network's accuracy is under noise, attacks, and errors of its weights.

A score is a mean of accuracies: over the levels of a family of conditions first, then over families, each with equal
weight, so that neither more levels nor more variants of one thing count for more. What each kind of condition lets
count stands in its ``part``, ``counts``, ``family`` and ``worst_case``; docs/scores.md says it in words. There is no
score of all parts together.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from robench.core.kinds import kind_of
from robench.core.types import Condition, ResultCard, Suite
from robench.results import stats
from robench.results.stats import Estimate
from robench.results.summary import MISSING, outcomes_of, together

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
    families = _families(card, card.suite, part)
    if isinstance(families, str):
        return families
    if (same := _alike(families)) is not None:
        return stats.wilson(int(same.sum()), len(same))
    found = stats.crossed_sum(_blocks(families))
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 1.0))


def score_difference(card: ResultCard, other: ResultCard, part: str) -> Estimate | str:
    """The score minus another network's, paired by image and draw, with its 95% interval, or MISSING."""
    pair = _pair(card, other, part)
    if pair is None:
        return MISSING
    ours, theirs = pair
    first, second = _alike(ours), _alike(theirs)
    if first is not None and second is not None:
        return stats.paired_difference(first, second)
    return stats.crossed_sum(_blocks(_minus(ours, theirs)))


def score_p(card: ResultCard, other: ResultCard, part: str) -> float | None:
    """Two-sided p-value of equal scores: McNemar's where every condition has the same outcomes; None without scores."""
    pair = _pair(card, other, part)
    if pair is None:
        return None
    ours, theirs = pair
    first, second = _alike(ours), _alike(theirs)
    if first is not None and second is not None:
        return stats.mcnemar(first, second)
    return stats.crossed_sum_p(_blocks(_minus(ours, theirs)))


Families = list[list[npt.NDArray]]
"""For each family, for each of its levels (or conditions): [draws, images]."""


def _pair(card: ResultCard, other: ResultCard, part: str) -> tuple[Families, Families] | None:
    ours, theirs = (_families(c, card.suite, part) for c in (card, other))
    return None if isinstance(ours, str) or isinstance(theirs, str) or card.data != other.data else (ours, theirs)


def _families(card: ResultCard, suite: Suite, part: str) -> Families | str:
    """The outcomes that a score is made of, or the sign that stands for it."""
    grouped: dict[tuple[str, str], list[Condition]] = {}
    for condition in parts(suite).get(part, ()):
        grouped.setdefault((condition.kind, kind_of(condition).family(condition)), []).append(condition)
    if not grouped:
        return MISSING
    found: Families = []
    for conditions in grouped.values():
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
    by_level: dict[float, list[Outcomes]] = {}
    for condition, rows in outcomes:
        by_level.setdefault(condition.level or 0.0, []).append(np.logical_and.reduce(rows))
    standing = np.stack([np.logical_and.reduce(by_level[level]) for level in sorted(by_level)])
    return [row[None] for row in np.logical_and.accumulate(standing)]


def _alike(families: Families) -> Outcomes | None:
    """The outcomes of every condition and draw where they are all the same; else None."""
    rows = np.concatenate([rows for family in families for rows in family])
    return rows[0] if (rows == rows[0]).all() else None


def _minus(ours: Families, theirs: Families) -> Families:
    return [[a.astype(int) - b for a, b in zip(*pair, strict=True)] for pair in zip(ours, theirs, strict=True)]


def _blocks(families: Families) -> list[npt.NDArray]:
    """The weighted outcomes, added up where the number of draws is the same: [draws, images]; their means add up to it.

    Whole numbers are added and divided once: the same score on every processor, whatever the order of additions.
    """
    scale = lcm(*(len(families) * len(family) for family in families))
    blocks: dict[int, npt.NDArray] = {}
    for family in families:
        weight = int(Fraction(scale, len(families) * len(family)))
        for rows in family:
            blocks[len(rows)] = blocks.get(len(rows), 0) + weight * rows.astype(np.int64)
    return [block / scale for block in blocks.values()]
