"""What the measurements of one model say against each other (Carlini et al. 2019, arXiv:1902.06705).

An attack that is given more must not achieve less; where it does, the model hides its gradients or the attack is too
weak, and its robust accuracy is not to be believed. Differences that a few images make are left alone.
"""

from collections.abc import Iterator
from dataclasses import replace

from robench.core.types import Condition, Measurement, ResultCard

_WAYS = {"twin": "twin", "smooth": "smooth copy"}
TOLERATED = 0.01
"""Share of the images by which a weaker attack may be ahead: a point, as random starts make it."""


def doubts(card: ResultCard, condition: Condition) -> list[str]:
    """Sentences that stand beside the score of an attack."""
    found = _only(card, condition)
    return [] if found is None else list(_doubts(card, condition, found))


def _doubts(card: ResultCard, condition: Condition, found: Measurement) -> Iterator[str]:
    for other in card.suite.conditions:
        theirs = _only(card, other) if other != condition and other.kind == condition.kind else None
        if theirs is None or theirs.total != found.total:
            continue
        lead = (found.correct - theirs.correct) / found.total
        if lead <= TOLERATED or other.setting("norm", "linf") != condition.setting("norm", "linf"):
            continue
        points = f"by {100 * lead:.1f} points"
        # A black-box attack is not to be blamed for seeing less than gradients show.
        if other.level == condition.level and condition.fact("gradient", default=True):
            if (via := other.setting("via", "own")) != condition.setting("via", "own"):
                if via != "own" and "via" not in dict(condition.params):
                    yield f"images made on its {_WAYS[str(via)]} ({other.name}) beat it {points}: gradients are hidden"
            elif other.fact("single_step") and not condition.fact("single_step"):
                yield f"a single step ({other.name}) beats it {points}"
            elif not other.fact("gradient", default=True) and not condition.fact("single_step"):
                yield f"a black-box attack ({other.name}) beats it {points}: gradients are hidden"
            elif _steps(other) > _steps(condition) and _stem(other, "steps") == _stem(condition, "steps"):
                yield f"more steps ({_steps(other)}) still help, {points}"
            elif _stem(other, "loss") == _stem(condition, "loss"):
                yield f"another loss ({other.setting('loss', 'ce')}) helps {points}"
        elif _stem(other) == _stem(condition) and _level(other) < _level(condition):
            yield f"a smaller epsilon ({_level(other) * 255:g}/255) beats it {points}"


def _only(card: ResultCard, condition: Condition) -> Measurement | None:
    rows = [row for row in card.of(condition) if row.total]
    return rows[0] if len(rows) == 1 else None


def _level(condition: Condition) -> float:
    return condition.level or 0.0


def _steps(condition: Condition) -> int:
    return int(condition.setting("steps", 0))


def _stem(condition: Condition, *left_out: str) -> Condition:
    """The attack without its epsilon, and without the parameters that are ``left_out``."""
    params = tuple(pair for pair in condition.params if pair[0] not in left_out)
    return replace(condition, level=None, params=params, grid=())
