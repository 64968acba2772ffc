"""The figures: accuracy under each noise, and how far images are moved before they fool a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from robench.core.types import ResultCard
from robench.results.drawing import finish, line_style, new_figure
from robench.results.stats import Estimate
from robench.results.summary import accuracy, measures_to_fool, perturbations
from robench.studies.poster.numbers import PUBLISHED, rows
from robench.studies.study import Facts, Figures


def figures(cards: Sequence[ResultCard], measured: Facts) -> Figures:
    """(name, figure) of each figure."""
    yield "noise", _noise(cards)
    yield "perturbations", _perturbations(cards)


def _noise(cards: Sequence[ResultCard]) -> Any:
    shown = list(rows(cards[0]))
    figure, axes = new_figure(1, 1, (5.2, 2.8))
    axis = axes[0][0]
    for index, card in enumerate(cards):
        found = [(place, accuracy(card, group)) for place, group in enumerate(shown)]
        known = [(place, value) for place, value in found if isinstance(value, Estimate)]
        x = [place + 0.14 * (index - (len(cards) - 1) / 2) for place, _ in known]
        middle = [100 * value.value for _, value in known]
        bars = [[100 * (v.value - v.low) for _, v in known], [100 * (v.high - v.value) for _, v in known]]
        style = line_style(index) | {"linestyle": "none", "markersize": 4, "capsize": 2, "linewidth": 1}
        axis.errorbar(x, middle, bars, label=card.model.name, **style)
    published = [
        (place, PUBLISHED[group.conditions[0].name])
        for place, group in enumerate(shown)
        if group.conditions[0].name in PUBLISHED
    ]
    for column, (marker, name) in {0: ("_", "poster: FP"), 2: ("x", "poster: TWN")}.items():
        x = [place + (0.36 if column == 0 else 0.44) for place, _ in published]
        axis.plot(x, [float(row[column]) for _, row in published], marker, color="0.4", label=name)
    axis.set_xticks(range(len(shown)), [group.label for group in shown], rotation=12)
    finish(axis, "95% intervals over images", "", "top-1 accuracy, %")
    axis.set_ylim(0, 100)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return figure


def _perturbations(cards: Sequence[ResultCard]) -> Any:
    attacks = measures_to_fool(cards[0].suite)
    figure, axes = new_figure(1, len(attacks), (3.2, 2.6), sharey=True)
    for axis, attack in zip(axes[0], attacks, strict=True):
        for index, card in enumerate(cards):
            found = perturbations(card, attack)
            if found is None:
                continue
            right = np.sort(found[~np.isnan(found)])
            fooled = right[np.isfinite(right)]
            share = 100 * np.arange(1, len(fooled) + 1) / max(len(right), 1)
            style = {key: value for key, value in line_style(index).items() if key != "marker"}
            axis.step(fooled, share, where="post", label=card.model.name, linewidth=1.2, **style)
        steps = dict(attack.params)["steps"]
        finish(
            axis,
            f"up to {steps} steps",
            "mean |difference|, pixel levels",
            "" if attack != attacks[0] else "images fooled, %",
        )
        axis.set_ylim(0, 100)
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=8
    )
    return figure
