"""Accuracy against severity, epsilon or level, as figures for print: one panel a condition, one line a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robench.core.errors import RobenchError
from robench.core.types import Condition, ResultCard
from robench.report.summary import Group, accuracy, label
from robench.stats import Estimate

COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#F0E442")
"""Okabe and Ito's, which the colour-blind can tell apart; markers and dashes differ as well."""
MARKERS = "os^Dvp*X"
DASHES = ("-", "--", "-.", ":")
AXES = {
    "corruption": "severity",
    "attack": "epsilon, grey levels of 255",
    "distortion": "level of weight distortion",
}
COLUMNS = 4
PANEL = (2.6, 2.2)
FORMATS = ("svg", "png")


@dataclass(frozen=True)
class Panel:
    """One family of conditions: what is drawn against its levels."""

    kind: str
    title: str
    conditions: tuple[Condition, ...]

    def x(self, condition: Condition) -> float:
        """Where a condition stands on the axis."""
        level = condition.level or 0.0
        return 255 * level if self.kind == "attack" else level


def panels(cards: Sequence[ResultCard]) -> list[Panel]:
    """Families with at least two levels that every card's suite has."""
    shared = [c for c in cards[0].suite.conditions if all(c in card.suite.conditions for card in cards)]
    families: dict[tuple[str, str], list[Condition]] = {}
    for condition in shared:
        if condition.level is not None:
            title = label(replace(condition, level=None))
            families.setdefault((condition.kind, title), []).append(condition)
    found = [Panel(kind, title, tuple(conditions)) for (kind, title), conditions in families.items()]
    return [panel for panel in found if len(panel.conditions) > 1]


def curve(card: ResultCard, panel: Panel) -> list[tuple[float, Estimate]]:
    """(x, accuracy with its interval) of each condition that applies, without an attack or noise at x = 0."""
    points = [(panel.x(c), accuracy(card, Group("", "", (c,)))) for c in panel.conditions]
    clean = [c for c in card.suite.conditions if c.kind == "clean"]
    if clean and panel.kind != "distortion":
        points.insert(0, (0.0, accuracy(card, Group("", "", (clean[0],)))))
    return sorted((x, estimate) for x, estimate in points if isinstance(estimate, Estimate))


def draw(cards: Sequence[ResultCard], out: Path, name: str) -> list[Path]:
    """Draw the cards into ``out/<name>.svg`` and ``.png``.

    Raises:
        RobenchError: cards of different images, or without two levels of one condition in common.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if len({card.data for card in cards}) > 1:
        raise RobenchError("these cards were not measured on the same images; plot them apart.")
    shown = panels(cards)
    if not shown:
        raise RobenchError("these cards have no condition at two levels in common, so that there is nothing to plot.")
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure((PANEL[0] * columns, PANEL[1] * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    for axis, panel in zip(axes, shown, strict=False):
        _panel(axis, panel, cards)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    for axis in axes[::columns]:
        axis.set_ylabel("top-1 accuracy, %", fontsize=8)
    data = cards[0].data
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside upper center", ncols=min(len(cards), 4), frameon=False)
    figure.text(0.995, 0.005, f"{data.n} images of {data.source}, 95% intervals", ha="right", va="bottom", fontsize=6)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{form}" for form in FORMATS]
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=200, metadata=metadata)
    return paths


def _panel(axis: Any, panel: Panel, cards: Sequence[ResultCard]) -> None:
    """One panel; a model to which the conditions do not apply has no line."""
    for index, card in enumerate(cards):
        points = curve(card, panel)
        style = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": DASHES[index % len(DASHES)],
        }
        x = [place for place, _ in points]
        value, low, high = (
            [100 * getattr(estimate, part) for _, estimate in points] for part in ("value", "low", "high")
        )
        axis.plot(x, value, label=card.model.name, markersize=3.5, linewidth=1.2, **style)
        axis.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
    if panel.kind == "attack":
        axis.set_xscale("symlog", base=2, linthresh=min(panel.x(c) for c in panel.conditions))
        ticks = [0.0, *(panel.x(c) for c in panel.conditions)]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_title(panel.title, fontsize=9)
    axis.set_xlabel(AXES[panel.kind], fontsize=8)
    axis.tick_params(labelsize=7)
    axis.set_ylim(0, 100)
    axis.grid(alpha=0.3, linewidth=0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
