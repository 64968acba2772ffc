"""The figures: what the paper's show, drawn from cards and facts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robench.core.types import ResultCard
from robench.results.drawing import finish, legend, line, line_style, new_figure
from robench.results.stats import Estimate, wilson
from robench.studies.from_cards import error, named
from robench.studies.merolla.facts import BETAS, EDGES
from robench.studies.merolla.numbers import (
    BITS,
    CONTROL,
    LARGE,
    SIGN,
    STOCHASTIC,
    WIDE,
    condition,
    conditions,
    effective_bits,
)
from robench.studies.study import Facts, Figures

KINDS = {
    "gaussian_max": ("additive noise", "s, in units of the largest weight"),
    "multiplicative": ("multiplicative noise", "s"),
    "power": ("power", "beta"),
}
ROWS = {False: "batch norm kept", True: "recalibrated"}
ERROR = "test error, %"
LETTERS = 8
"""Points, in legends."""


NEEDS = {
    "fig1": (CONTROL, SIGN),
    "fig2": (CONTROL,),
    "fig2-betas": (CONTROL,),
    "fig3": LARGE,
    "fig4": (CONTROL, STOCHASTIC),
    "bits": (CONTROL,),
}
"""Figure -> the networks without which it is left out."""


def available(cards: Sequence[ResultCard]) -> list[str]:
    """The figures whose networks are there."""
    return [name for name, needed in NEEDS.items() if set(needed) <= set(named(cards))]


def figures(cards: Sequence[ResultCard], measured: Facts) -> Figures:
    """(name, figure) of each figure that can be drawn."""
    by_name, networks = named(cards), measured["networks"]
    trained = [card for card in cards if card.model.name not in (*LARGE, *WIDE)]
    draw = {
        "fig1": lambda: _training_at_sign(networks),
        "fig2": lambda: _distortions(trained),
        "fig2-betas": lambda: _betas(networks),
        "fig3": lambda: _clipping(networks),
        "fig4": lambda: _powers([by_name[CONTROL], by_name[STOCHASTIC]]),
        "bits": lambda: _bits(trained),
    }
    for name in available(cards):
        yield name, draw[name]()


def _steps(axis: Any, shares: Sequence[float], index: int, name: str) -> None:
    style = line_style(index)
    axis.stairs(
        [100 * share for share in shares],
        EDGES,
        color=style["color"],
        linestyle=style["linestyle"],
        label=name,
        linewidth=1.0,
    )


def _training_at_sign(networks: Mapping[str, Any]) -> Any:
    layers = networks[SIGN]["layers"]
    figure, axes = new_figure(3, 4)
    shown = axes.ravel()
    for axis, layer, other in zip(shown, layers, networks[CONTROL]["layers"], strict=False):
        _steps(axis, layer["histogram"], 1, SIGN)
        _steps(axis, other["histogram"], 0, CONTROL)
        axis.set_yscale("log")
        finish(axis, layer["name"], "W / a", "weights, %")
    legend(figure, shown[0], size=LETTERS)
    training, distance, kept, again = shown[8:12]
    shown[7].set_visible(False)
    _log(training, networks[SIGN], ("held_out", "sign"))
    training.axvline(networks[SIGN]["projected_from"] + 0.5, color="0.4", linewidth=0.8, linestyle="--")
    training.legend(fontsize=6, frameon=False)
    finish(training, f"{SIGN}: training", "epoch", "held-out error, %")
    for axis, key, title, y in (
        (distance, "distance", "distance to Sign(W)", "mean |W - Sign(W)| / a"),
        (kept, "correlation", "activations, batch norm kept", "correlation, W to Sign(W)"),
        (again, "recalibrated", "activations, recalibrated", "correlation, W to Sign(W)"),
    ):
        for index, name in ((1, SIGN), (0, CONTROL)):
            values = [layer[key] for layer in networks[name]["layers"]]
            axis.plot(range(1, len(values) + 1), values, markersize=3.5, linewidth=1.2, **line_style(index))
        finish(axis, title, "inner layer", y)
        axis.set_ylim(0, 1)
    return figure


def _log(axis: Any, network: Mapping[str, Any], tests: Sequence[str]) -> None:
    """Error on held-out images after each epoch, under each test."""
    titles = {"held_out": "Te-None", "round": "Te-Round", "sign": "Te-Sign"}
    images = network["hold_out"]
    for index, test in enumerate(tests):
        found = [(row["number"], {**row["under"], "held_out": row["held_out"]}.get(test)) for row in network["log"]]
        points = [
            (number, wilson(images - round(share * images), images)) for number, share in found if share is not None
        ]
        line(axis, points, index, titles[test], markersize=2)
    axis.set_ylim(0, 100)


def _curve(card: ResultCard, kind: str, *, recalibrated: bool) -> list[tuple[float, Estimate]]:
    points = [(c.level or 0.0, error(card, c)) for c in conditions(card, kind, recalibrated=recalibrated)]
    points.append((1.0 if kind == "power" else 0.0, error(card, condition(card, "clean"))))
    return sorted((x, value) for x, value in points if isinstance(value, Estimate))


def _distortions(cards: Sequence[ResultCard]) -> Any:
    figure, axes = new_figure(2, 3, (3.2, 2.4), sharey=True)
    for row, again in zip(axes, (False, True), strict=True):
        for axis, (kind, (title, x)) in zip(row, KINDS.items(), strict=True):
            for index, card in enumerate(cards):
                line(axis, _curve(card, kind, recalibrated=again), index, card.model.name)
            finish(axis, f"{title}, {ROWS[again]}", x, ERROR if kind == "gaussian_max" else "")
            axis.set_ylim(0, 100)
    legend(figure, axes[0][0], 6, LETTERS)
    return figure


def _betas(networks: Mapping[str, Any]) -> Any:
    chosen = [name for name in networks if name not in LARGE]
    figure, axes = new_figure(1, len(BETAS), sharey=True)
    for axis, beta in zip(axes[0], BETAS, strict=True):
        for index, name in enumerate(chosen):
            _steps(axis, networks[name]["betas"][str(beta)], index, name)
        axis.set_yscale("log")
        finish(axis, f"beta = {beta:g}", "sgn(W) |W / a|^beta", "weights, %" if beta == BETAS[0] else "")
    legend(figure, axes[0][0], 6, LETTERS)
    return figure


def _clipping(networks: Mapping[str, Any]) -> Any:
    figure, axes = new_figure(1, 2, (3.4, 2.6), sharey=True)
    for axis, name, title in zip(axes[0], LARGE, ("without clipping", "with clipping"), strict=True):
        _log(axis, networks[name], ("held_out", "round", "sign"))
        finish(axis, f"{name}: {title}", "epoch", "held-out error, %" if name == LARGE[0] else "")
    legend(figure, axes[0][0], size=LETTERS)
    return figure


def _powers(cards: Sequence[ResultCard]) -> Any:
    return _kept_and_recalibrated(cards, "beta", lambda card, again: _curve(card, "power", recalibrated=again))


def _bits(cards: Sequence[ResultCard]) -> Any:
    def curve(card: ResultCard, again: bool) -> list[tuple[float, Estimate]]:
        noisy = conditions(card, "gaussian_max", recalibrated=again)
        points = [(effective_bits(c.level or 0.0), error(card, c)) for c in noisy]
        return [(x, value) for x, value in points if isinstance(value, Estimate)]

    return _kept_and_recalibrated(cards, "effective bits per weight, at P = 1", curve, mark=BITS)


def _kept_and_recalibrated(
    cards: Sequence[ResultCard],
    x: str,
    curve: Callable[[ResultCard, bool], list[tuple[float, Estimate]]],
    mark: float | None = None,
) -> Any:
    """A panel with batch norm's statistics as they are and one with them recalibrated; ``mark`` is a line at an x."""
    figure, axes = new_figure(1, 2, (3.4, 2.6), sharey=True)
    for axis, again in zip(axes[0], (False, True), strict=True):
        for index, card in enumerate(cards):
            line(axis, curve(card, again), index, card.model.name)
        if mark is not None:
            axis.axvline(mark, color="0.4", linewidth=0.8, linestyle="--")
            axis.annotate(f"{mark:g}", (mark, 98), xytext=(3, 0), textcoords="offset points", va="top", fontsize=7)
        finish(axis, ROWS[again], x, "" if again else ERROR)
        axis.set_ylim(0, 100)
    legend(figure, axes[0][0], 3, LETTERS)
    return figure
