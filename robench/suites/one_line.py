"""Suites without a file: conditions in one line each, such as ``pgd@8/255,steps=20``."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.kinds import KINDS
from robench.core.types import CLEAN, Condition, Suite, Value
from robench.suites import MOST_DRAWS, level_of

FORM = "NAME@LEVEL,KEY=VALUE"
N_IMAGES, SEED = 1000, 0
"""Those of robench-v1, so that what both measure is measured once."""


def suite_of(lines: Mapping[str, Sequence[str]], notify: Callable[[str], None] = lambda notice: None) -> Suite:
    """A suite of the clean images and of the conditions that are written in one line each.

    Its name tells it from a suite of other conditions: ``one-line-`` and a digest of them.

    Args:
        lines: kind of condition -> lines ``NAME[@LEVEL][,KEY=VALUE...]``; ``draws=N`` repeats one with other random
            numbers.
        notify: hears in which norm an attack keeps its budget, where that is not said and not Linf.

    Raises:
        RobenchError: a line is of another form, names what does not exist, or is there twice.
    """
    conditions = [_resolved(CLEAN, "")]
    for kind, texts in lines.items():
        for text in texts:
            condition = condition_of(kind, text)
            if condition in conditions:
                raise RobenchError(f"--{kind} {short(text)} is there twice; leave one out.")
            if condition.setting("norm") == "l2" and "norm=" not in text:
                notify(f"{condition.name} keeps its budget in L2: epsilon {condition.level:g} is in L2, not Linf.")
            conditions.append(condition)
    # Draws too: a card of fewer draws is another card.
    text = "\n".join(f"{condition.key} {condition.draws}" for condition in conditions)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Suite(f"one-line-{digest}", 1, N_IMAGES, SEED, tuple(conditions))


def condition_of(kind: str, text: str) -> Condition:
    """The condition that one line stands for, checked.

    Raises:
        RobenchError: see ``suite_of``.
    """
    where = f"--{kind} {short(text)}"
    head, *settings = [part.strip() for part in text.split(",")]
    name, _, level = (part.strip() for part in head.partition("@"))
    params = dict(_setting(setting, where) for setting in settings)
    if not name or len(params) < len(settings):
        raise RobenchError(f"{where}: write {FORM}, each key once.")
    draws = params.pop("draws", 1)
    if isinstance(draws, bool) or not isinstance(draws, int) or not 1 <= draws <= MOST_DRAWS:
        raise RobenchError(f"{where}: draws must be a whole number from 1 to {MOST_DRAWS:,}, not {draws!r}.")
    number = level_of(level, where) if level else None
    return _resolved(KINDS[kind].from_line(name, number, params, draws), where)


def _resolved(condition: Condition, where: str) -> Condition:
    try:
        return KINDS[condition.kind].resolve(condition)
    except RobenchError as error:
        raise RobenchError(f"{where}: {error}") from error


def _setting(text: str, where: str) -> tuple[str, Value]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not key or not equals or not value:
        raise RobenchError(f"{where}: {short(repr(text))} is no setting; write {FORM}.")
    return key, _value(value, where)


def _value(text: str, where: str) -> Value:
    """``true``, ``false``, a number, a fraction such as ``2/255``, or text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    if text[0] in "+-.0123456789":
        return level_of(text, where)
    return text
