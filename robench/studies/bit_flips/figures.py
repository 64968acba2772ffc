"""The figures: accuracy against flips, error against rates beside Stutz's, and what ageing costs."""

from collections.abc import Sequence
from typing import Any

from robench.core.types import CLEAN, ResultCard
from robench.results import memory
from robench.results.drawing import finish, legend, line, line_style, new_figure
from robench.results.stats import Estimate
from robench.studies.bit_flips.numbers import MONTH, RAKIN, STUTZ, attack, conditions
from robench.studies.from_cards import error
from robench.studies.study import Facts, Figures

SIZE = (5.6, 3.0)
LOWEST = 1e-4


def figures(cards: Sequence[ResultCard], measured: Facts) -> Figures:
    """(name, figure) of each figure."""
    yield "flips", _flips(cards)
    yield "rates", _rates(cards)
    yield "ageing", _ageing(cards)


def _flips(cards: Sequence[ResultCard]) -> Any:
    figure, axes = new_figure(1, 1, SIZE)
    axis = axes[0][0]
    for index, card in enumerate(cards):
        line(axis, memory.path(card, attack(card)), index, card.model.name)
    for number, (bits, published) in enumerate(RAKIN.items()):
        axis.plot(published.flips, 11, "x", color="0.4", label="" if number else "Rakin: flips to chance")
        axis.annotate(str(bits), (published.flips, 11), xytext=(0, 4), textcoords="offset points", fontsize=7)
    axis.set_xscale("symlog", base=10, linthresh=5)
    finish(axis, "bits that are chosen to harm", "flipped bits", "top-1 accuracy, %")
    axis.set_ylim(0, 100)
    legend(figure, axis)
    return figure


def _rates(cards: Sequence[ResultCard]) -> Any:
    figure, axes = new_figure(1, 1, SIZE)
    axis = axes[0][0]
    for index, card in enumerate(cards):
        points = [(c.level or 0.0, error(card, c)) for c in (CLEAN, *conditions(card, "bit_error"))]
        line(axis, [(x, value) for x, value in points if isinstance(value, Estimate)], index, card.model.name)
    for number, (name, published) in enumerate(STUTZ.items()):
        axis.plot(
            list(published), list(published.values()), ":", color="0.35", marker="1234"[number], label=f"Stutz: {name}"
        )
    axis.set_xscale("symlog", base=10, linthresh=LOWEST)
    finish(axis, "bits that flip at random", "bit error rate", "test error, %")
    axis.set_ylim(0, 60)
    legend(figure, axis)
    return figure


def _ageing(cards: Sequence[ResultCard]) -> Any:
    figure, axes = new_figure(1, 2, (3.6, 2.6), sharey=True)
    for axis, params in zip(axes[0], ({}, {"compensation": False}), strict=True):
        for index, card in enumerate(cards):
            (month,) = (c for c in conditions(card, "pcm", **params) if c.level == MONTH)
            found = memory.loss(card, month)
            if isinstance(found, Estimate):
                bars = [[100 * (found.value - found.low)], [100 * (found.high - found.value)]]
                style = line_style(index) | {"linestyle": "none", "markersize": 4, "capsize": 2}
                axis.errorbar([index], [100 * found.value], bars, label=card.model.name, **style)
        title = "without compensation of drift" if params else "with compensation of drift"
        finish(axis, title, "", "" if params else "accuracy lost in a month, points")
        axis.set_xticks([])
    legend(figure, axes[0][0])
    return figure
