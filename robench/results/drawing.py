"""What figures for print share: colours, lines with intervals, quiet frames, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robench.core.files import whole
from robench.results.stats import Estimate

COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#F0E442")
"""Okabe and Ito's, which the colour-blind can tell apart; markers and dashes differ as well."""
MARKERS = "os^Dvp*X"
DASHES = ("-", "--", "-.", ":")
PANEL = (2.6, 2.2)
FORMATS = ("svg", "png")
DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Format -> its metadata without the time at which a file was written."""


def save(figure: Any, out: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a matplotlib figure as ``out/<name>.svg``, ``.png`` or ``.pdf``; equal figures give equal files."""
    import matplotlib as mpl

    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{form}" for form in dict.fromkeys(formats)]
    # Fonts of type 42, since publishers refuse those of type 3, which are matplotlib's default.
    with mpl.rc_context({"svg.hashsalt": name, "pdf.fonttype": 42}):
        for path in paths:
            with whole(path) as draft:
                form = path.suffix.removeprefix(".")
                figure.savefig(draft, format=form, dpi=200 if form == "png" else "figure", metadata=DATES.get(form, {}))
    return paths


def plain(text: str) -> str:
    """Text that matplotlib shows as it is: dollars begin no formula, and an underscore hides no line from a legend."""
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def new_figure(rows: int, columns: int, panel: tuple[float, float] = PANEL, **shared: Any) -> tuple[Any, Any]:
    """An empty matplotlib figure with room for a legend above it, and its axes [rows, columns]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((panel[0] * columns, panel[1] * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def line_style(index: int) -> dict[str, str]:
    """Colour, marker and dashes of the index-th line: each alone tells lines apart."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
    }


def line(axis: Any, points: Sequence[tuple[float, Estimate]], index: int, name: str, **style: Any) -> None:
    """Draw estimates, in percent, against x with their intervals as a band."""
    x = [place for place, _ in points]
    value, low, high = ([100 * getattr(estimate, part) for _, estimate in points] for part in ("value", "low", "high"))
    shown = line_style(index) | {"label": plain(name), "markersize": 3.5, "linewidth": 1.2} | style
    axis.plot(x, value, **shown)
    axis.fill_between(x, low, high, color=shown["color"], alpha=0.15, linewidth=0)


def legend(figure: Any, axis: Any, columns: int = 4, size: float = 7) -> None:
    """What the lines of an axis are, above the figure, in letters of a size in points."""
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside upper center", ncols=columns, frameon=False, fontsize=size
    )


def finish(axis: Any, title: str, x: str, y: str = "", smaller: float = 0) -> None:
    """Title, axis labels and a quiet frame; letters are ``smaller`` by so many points."""
    axis.set_title(title, fontsize=9 - smaller)
    axis.set_xlabel(x, fontsize=8 - smaller)
    axis.set_ylabel(y, fontsize=8 - smaller)
    axis.tick_params(labelsize=7 - smaller)
    axis.grid(alpha=0.3, linewidth=0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
