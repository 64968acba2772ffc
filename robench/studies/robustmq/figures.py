"""The figures: accuracy against epsilon by each measure, and against bits."""

from collections.abc import Sequence
from typing import Any

from robench.core.types import ResultCard
from robench.results.drawing import finish, legend, line, new_figure
from robench.results.stats import wilson
from robench.studies.from_cards import named
from robench.studies.robustmq.numbers import ATTACKS, CHAIN, HARDENED, HARDENED_TWIN, MEASURES, levels, mean_accuracy
from robench.studies.study import Facts, Figures

PANEL = (2.5, 2.3)


def figures(cards: Sequence[ResultCard], measured: Facts) -> Figures:
    """(name, figure) of each figure."""
    known = named(cards)
    shown = [known[name] for name in (*CHAIN, "bnn_resnet20", HARDENED_TWIN, HARDENED) if name in known]
    yield "epsilons", _epsilons(shown)
    yield "bits", _bits([known[name] for name in CHAIN if name in known])


def _epsilons(cards: Sequence[ResultCard]) -> Any:
    figure, axes = new_figure(1, len(ATTACKS), PANEL, sharey=True)
    for axis, (name, measure) in zip(axes[0], ATTACKS.items(), strict=True):
        for index, card in enumerate(cards):
            found = measure(card)
            if found is not None:
                counts = [wilson(int(row.sum()), len(row)) for row in found]
                line(axis, list(zip((255 * e for e in levels(card)), counts, strict=True)), index, card.model.name)
        axis.set_xscale("log", base=2)
        axis.set_xticks([255 * e for e in levels(cards[0])], [f"{255 * e:g}" for e in levels(cards[0])])
        axis.set_ylim(0, 100)
        finish(axis, name, "epsilon, of 255", "" if axis is not axes[0][0] else "top-1 accuracy, %")
    legend(figure, axes[0][0])
    return figure


def _bits(cards: Sequence[ResultCard]) -> Any:
    figure, axes = new_figure(1, 1, (4.2, 2.6))
    axis = axes[0][0]
    for index, (name, measure) in enumerate(MEASURES.items()):
        found = [(card.model.bits, measure(card)) for card in cards]
        points = [(bits, mean_accuracy(rows)) for bits, rows in found if rows is not None]
        line(axis, points, index, name)
    axis.set_xscale("log", base=2)
    axis.set_xticks([card.model.bits for card in cards], [str(card.model.bits) for card in cards])
    axis.invert_xaxis()
    axis.set_ylim(0, 100)
    finish(axis, "fewer bits", "bits of a weight", "mean accuracy over levels, %")
    legend(figure, axis)
    return figure
