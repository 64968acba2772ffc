"""What cannot be so in a card, whoever looks at it: no model and no image is needed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from robench import suites
from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Condition, ResultCard
from robench.results.cards import card_path


def contradictions(card: ResultCard, path: Path) -> Iterator[str]:
    """Sentences, each about one thing in a card that cannot be so.

    Args:
        card: as it was read.
        path: of its file, whose name says what is in it.
    """
    if card_path(card, path.parent).name != path.name:
        yield f"its file would be called {card_path(card, path.parent).name}"
    yield from _suite(card)
    yield from _completeness(card)
    yield from _attacks(card)


def _suite(card: ResultCard) -> Iterator[str]:
    suite = card.suite
    try:
        known = suites.load(suite.name)
    except RobenchError:
        return  # one of its author's
    if suite.part:
        yield f"it is of a part of {suite.name} ({suite.part})"
    elif suite.version != known.version:
        yield f"it is of version {suite.version} of {suite.name}, and this robench has version {known.version}"
    elif suite != known:
        yield f"its conditions, draws, images or seed are not those of {suite.name} version {suite.version}"


def _completeness(card: ResultCard) -> Iterator[str]:
    for condition in card.suite.conditions:
        draws = {measurement.draw for measurement in card.of(condition)}
        if len(draws) != condition.draws:
            yield f"{len(draws)} of {condition.draws} draws of {condition.key} are there"


def _attacks(card: ResultCard) -> Iterator[str]:
    clean = next((measurement for measurement in card.of(CLEAN) if measurement.total), None)
    for condition in card.suite.conditions:
        if clean is None or not kind_of(condition).worst_case:
            continue
        found = [measurement for measurement in card.of(condition) if measurement.total]
        if any((measurement.top1 & ~clean.top1).any() for measurement in found):
            yield f"images that are wrong without an attack are right under {condition.key}"
        elif any((measurement.top5 & ~clean.top5).any() for measurement in found):
            yield f"images that are not within five guesses without an attack are so under {condition.key}"
    yield from _grids(card)


def _grids(card: ResultCard) -> Iterator[str]:
    """What a smaller epsilon of one grid fools, a larger one fools."""
    for condition in card.suite.conditions:
        larger = _next(condition)
        if larger is None:
            continue
        for small, large in zip(card.of(condition), card.of(larger), strict=False):
            if small.total and large.total and np.any(large.top1 & ~small.top1):
                yield f"images that fall to {condition.key} stand under {larger.key}"
                break


def _next(condition: Condition) -> Condition | None:
    """The same search at the next epsilon."""
    larger = [level for level in condition.grid if condition.level is not None and level > condition.level]
    if not larger:
        return None
    return replace(condition, level=min(larger))
