"""Accuracy against severity, epsilon or level, as figures for print: one panel a condition, one line a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robench.core.errors import RobenchError
from robench.core.files import file_name
from robench.core.kinds import Axis, Kind, kind_of
from robench.core.types import CLEAN, Condition, ResultCard
from robench.results import memory
from robench.results.drawing import finish, line, new_figure, save
from robench.results.stats import Estimate
from robench.results.summary import accuracy, label, together

COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One family of conditions: what is drawn against its levels.

    A condition whose measurements led along a path, flip by flip, is a family of its own.
    """

    kind: Kind
    title: str
    conditions: tuple[Condition, ...]

    @property
    def axis(self) -> Axis:
        """Of the levels."""
        return self.kind.axis(self.conditions[0])

    @property
    def places(self) -> list[float]:
        """Where the axis has its ticks."""
        return [self.kind.x(c) for c in self.conditions] if len(self.conditions) > 1 else list(memory.STEPS)


def panels(cards: Sequence[ResultCard]) -> list[Panel]:
    """Families with at least two levels, or a path, that every card's suite has."""
    shared = [c for c in cards[0].suite.conditions if all(c in card.suite.conditions for card in cards)]
    families: dict[tuple[Kind, str], list[Condition]] = {}
    for condition in shared:
        if condition.level is not None:
            title = label(replace(condition, level=None))
            families.setdefault((kind_of(condition), title), []).append(condition)
    found = [Panel(kind, title, tuple(conditions)) for (kind, title), conditions in families.items()]
    return [panel for panel in found if len(panel.conditions) > 1 or memory.has_path(panel.conditions[0], cards)]


def curve(card: ResultCard, panel: Panel) -> list[tuple[float, Estimate]]:
    """(x, accuracy with its interval) of each condition that applies, without an attack or noise at x = 0."""
    if len(panel.conditions) == 1:
        return memory.path(card, panel.conditions[0])
    points = [(panel.kind.x(c), accuracy(card, together(c))) for c in panel.conditions]
    if panel.axis.from_clean and CLEAN in card.suite.conditions:
        points.insert(0, (0.0, accuracy(card, together(CLEAN))))
    return sorted((x, estimate) for x, estimate in points if isinstance(estimate, Estimate))


def board_figure(card: ResultCard) -> str:
    """How the figure of a board, for the suite and the images of a card, is called, without its ending."""
    return f"{card.suite.name}.{file_name(card.data.name)}.{file_name(card.data.fingerprint[:8])}"


def draw(cards: Sequence[ResultCard], out: Path, name: str) -> list[Path]:
    """Draw the cards into ``out/<name>.svg`` and ``.png``.

    Raises:
        RobenchError: cards of different images, or without two levels of one condition in common.
    """
    if len({card.data for card in cards}) > 1:
        raise RobenchError("these cards were not measured on the same images; plot them apart.")
    shown = panels(cards)
    if not shown:
        raise RobenchError("nothing to plot: these cards share no condition with two or more levels.")
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = new_figure(rows, columns, sharey=True)
    axes = grid.ravel()
    for place, (axis, panel) in enumerate(zip(axes, shown, strict=False)):
        _panel(axis, panel, cards, "" if place % columns else "top-1 accuracy, %")
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    data = cards[0].data
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside upper center", ncols=min(len(cards), 4), frameon=False)
    figure.text(0.995, 0.005, f"{data.n} images of {data.source}, 95% intervals", ha="right", va="bottom", fontsize=6)
    return save(figure, out, name)


def _panel(axis: Any, panel: Panel, cards: Sequence[ResultCard], y: str) -> None:
    """One panel; a model to which the conditions do not apply has no line."""
    for index, card in enumerate(cards):
        line(axis, curve(card, panel), index, card.model.name)
    if panel.axis.log:
        _log_axis(axis, panel)
    finish(axis, panel.title, panel.axis.name, y)
    axis.set_ylim(0, 100)


def _log_axis(axis: Any, panel: Panel) -> None:
    places = panel.places
    if panel.axis.from_clean:
        axis.set_xscale("symlog", base=2, linthresh=min(places))
        places = [0.0, *places]
    else:
        axis.set_xscale("log")
    names = [panel.kind.level(c) for c in panel.conditions] if len(places) == len(panel.conditions) else []
    axis.set_xticks(places, names or [f"{place:g}" for place in places], rotation=60 if len(places) > 5 else 0)
    axis.minorticks_off()
