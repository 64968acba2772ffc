"""One number for each part of a suite: the mean accuracy over its conditions."""

from collections.abc import Sequence

import numpy as np

from robench.core.types import CLEAN, Condition, Floats, ResultCard
from robench.results import stats
from robench.results.stats import Estimate
from robench.results.summary import MISSING, NOT_APPLICABLE

UNCHANGED = "n/a: nothing changed"
"""How the flag begins of a distortion that is the identity on a model's weights: its accuracy is the clean one."""


def score(card: ResultCard, conditions: Sequence[Condition]) -> Estimate | str:
    """Mean over conditions of the accuracy, in [0, 1], with its 95% interval over images.

    Raises nothing: a sign of ``robench.results.summary`` stands for a score that a card cannot give.
    """
    shares = _shares(card, conditions)
    return shares if isinstance(shares, str) else stats.image_mean(shares)


def score_gap(card: ResultCard, twin: ResultCard, conditions: Sequence[Condition]) -> Estimate | str:
    """The score minus the twin's, paired by image."""
    ours, theirs = _shares(card, conditions), _shares(twin, conditions)
    if isinstance(ours, str) or isinstance(theirs, str) or card.data != twin.data:
        return MISSING
    return stats.image_mean(ours - theirs)


def _shares(card: ResultCard, conditions: Sequence[Condition]) -> Floats | str:
    """How often each image [N] is right, averaged over draws and then over conditions."""
    rows = [_right(card, condition) for condition in conditions]
    missing = next((row for row in rows if isinstance(row, str)), None)
    return np.mean([row for row in rows if not isinstance(row, str)], axis=0) if missing is None else missing


def _right(card: ResultCard, condition: Condition) -> Floats | str:
    found = card.of(condition)
    if len(found) < condition.draws:
        return MISSING
    if all(m.total for m in found):
        return np.mean([m.top1 for m in found], axis=0)
    unchanged = all(any(flag.startswith(UNCHANGED) for flag in m.flags) for m in found)
    return _right(card, CLEAN) if unchanged and condition != CLEAN else NOT_APPLICABLE
