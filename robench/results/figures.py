"""Accuracy against severity, epsilon or level, as figures for print: one panel a condition, one line a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robench.core.errors import RobenchError
from robench.core.files import file_name, short
from robench.core.kinds import Axis, Kind, kind_of
from robench.core.types import CLEAN, Condition, ResultCard
from robench.results import memory
from robench.results.drawing import FORMATS, PANEL, finish, line, new_figure, plain, save
from robench.results.stats import Estimate
from robench.results.summary import accuracy, label, together


@dataclass(frozen=True)
class Layout:
    """How panels are arranged.

    Attributes:
        columns: most panels side by side.
        width: of the whole figure in inches; 0 for as wide as its panels are.
        smaller: points by which letters are smaller than on a screen.
    """

    columns: int
    width: float = 0
    smaller: float = 0

    def panel(self, columns: int) -> tuple[float, float]:
        """Width and height of each of so many panels side by side, in inches."""
        if not self.width:
            return PANEL
        width = self.width / columns
        return width, min(PANEL[1], 0.95 * width)


SCREEN = Layout(4)
PAPER = {"one": Layout(2, 3.4, 2), "two": Layout(4, 7.0, 2)}
"""Columns of a page of two columns that a figure is wide -> its layout; letters have 5 to 7 points in print."""


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


def panels(cards: Sequence[ResultCard], pattern: str = "*") -> list[Panel]:
    """Families with at least two levels, or a path, that every card's suite has, and that match such as "attack/*"."""
    chosen = [c for c in cards[0].suite.conditions if c.matches(pattern)]
    shared = [c for c in chosen if all(c in card.suite.conditions for card in cards)]
    families: dict[tuple[Kind, str], list[Condition]] = {}
    for condition in shared:
        if condition.level is not None:
            title = label(replace(condition, level=None))
            families.setdefault((kind_of(condition), title), []).append(condition)
    titles = [title for _, title in families]
    found = [
        Panel(kind, f"{title}, {kind.part or kind.name}" if titles.count(title) > 1 else title, tuple(conditions))
        for (kind, title), conditions in families.items()
    ]
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


def draw(
    cards: Sequence[ResultCard],
    out: Path,
    name: str,
    layout: Layout = SCREEN,
    formats: Sequence[str] = FORMATS,
    pattern: str = "*",
) -> list[Path]:
    """Draw the cards into ``out/<name>.svg`` and ``.png``, or files of other formats.

    Args:
        cards: a line in each panel for each.
        out: folder for the files.
        name: of the files, without their endings.
        layout: of the panels.
        formats: of the files: svg, png or pdf.
        pattern: of the conditions, such as "attack/*".

    Raises:
        RobenchError: cards of different images, or without two levels of one such condition in common.
    """
    if len({card.data for card in cards}) > 1:
        raise RobenchError("these cards were not measured on the same images; plot them apart.")
    shown = panels(cards, pattern)
    if not shown:
        which = "" if pattern == "*" else f" that matches {short(repr(pattern))}"
        raise RobenchError(f"nothing to plot: these cards share no condition{which} with two or more levels.")
    columns = _columns(len(shown), layout.columns)
    rows = -(-len(shown) // columns)
    figure, grid = new_figure(rows, columns, layout.panel(columns), sharey=True)
    axes = grid.ravel()
    for place, (axis, panel) in enumerate(zip(axes, shown, strict=False)):
        _panel(axis, panel, cards, "" if place % columns else "top-1 accuracy, %", layout.smaller)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    data = cards[0].data
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        lines, labels, loc="outside upper center", ncols=min(len(cards), columns), frameon=False, **_letters(layout)
    )
    told = plain(f"{data.n} images of {data.source}, 95% intervals")
    figure.supxlabel(told, x=0.995, ha="right", fontsize=6 - layout.smaller / 2)
    return save(figure, out, name, formats)


def _columns(count: int, most: int) -> int:
    """So many that the fewest places stay empty; of those that leave as few, the most."""
    return (
        max(range(max(most - 1, 1), most + 1), key=lambda columns: (-(-count % columns), columns))
        if count > most
        else count
    )


def _letters(layout: Layout) -> dict[str, float]:
    """Of the legend: matplotlib's own on a screen."""
    return {"fontsize": 9 - layout.smaller} if layout.smaller else {}


def _panel(axis: Any, panel: Panel, cards: Sequence[ResultCard], y: str, smaller: float) -> None:
    """One panel; a model to which the conditions do not apply has no line."""
    for index, card in enumerate(cards):
        line(axis, curve(card, panel), index, card.model.name)
    if panel.axis.log:
        _log_axis(axis, panel)
    finish(axis, plain(panel.title), panel.axis.name, y, smaller)
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
