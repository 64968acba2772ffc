"""The mean corruption error, as Hendrycks and Dietterich 2019 (arXiv:1903.12261) define it."""

from collections.abc import Iterator, Sequence

import numpy as np

from robench.core.types import CLEAN, Condition, Floats, ResultCard, Suite
from robench.results import stats
from robench.results.sheets import Sheet
from robench.results.stats import Estimate
from robench.results.summary import MISSING, NOT_APPLICABLE, outcomes_of, percent, together

ALEXNET = {
    "gaussian": 0.886428,
    "poisson": 0.894468,
    "salt_and_pepper": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic": 0.646056,
    "pixelate": 0.717840,
    "jpeg": 0.606500,
}
"""The fifteen corruptions that count -> AlexNet's top-1 error on ImageNet-C, mean over five severities."""
SEVERITIES = 5
IMAGENET = "imagenet-c"


def conditions(suite: Suite) -> dict[str, list[Condition]]:
    """Corruption -> its five severities, of the fifteen; empty where a suite lacks one of them."""
    found: dict[str, list[Condition]] = {name: [] for name in ALEXNET}
    for condition in suite.conditions:
        if condition.kind == "corruption" and condition.name in found and condition.level is not None:
            found[condition.name].append(condition)
    return found if all(len(chosen) == SEVERITIES for chosen in found.values()) else {}


def corruption_error(card: ResultCard, name: str) -> Estimate | str:
    """The error under one corruption, mean over severities, with its 95% interval over images."""
    rows = _errors(card, conditions(card.suite)[name])
    return rows if isinstance(rows, str) else stats.bootstrap_mean(rows).as_share()


def mean_corruption_error(card: ResultCard, *, relative: bool = False) -> Estimate | str:
    """The mean over corruptions of their errors; of ImageNet-C's severities each divided by AlexNet's.

    Args:
        card: of a suite with the fifteen corruptions.
        relative: what is added to the error without corruption, in place of the error; of CIFAR-10-C's severities.
    """
    chosen = conditions(card.suite)
    total: Floats | None = None
    for name, severities in chosen.items():
        rows = _errors(card, severities)
        if isinstance(rows, str):
            return rows
        share = rows.mean(0) / (ALEXNET[name] if _normalised(card.suite) else 1)
        total = share if total is None else total + share
    if total is None:
        return MISSING
    by_image = total / len(chosen)
    if relative:
        clean = _errors(card, [CLEAN])
        if isinstance(clean, str) or _normalised(card.suite):
            return MISSING if isinstance(clean, str) else NOT_APPLICABLE
        by_image = by_image - clean[0]
    return stats.crossed_mean(by_image[None])


def _normalised(suite: Suite) -> bool:
    return all(c.setting("parameters") == IMAGENET for found in conditions(suite).values() for c in found)


def _errors(card: ResultCard, severities: Sequence[Condition]) -> Floats | str:
    """Which images are wrong, 0 or 1 [severities, images], or the sign that stands for them."""
    outcomes = [outcomes_of(card, together(condition)) for condition in severities]
    for rows in outcomes:
        if isinstance(rows, str):
            return rows
    return np.concatenate([1.0 - np.asarray(rows, float) for rows in outcomes])


def sheets(suite: Suite, cards: Sequence[ResultCard]) -> Iterator[Sheet]:
    """The mean corruption error of every model, and what it is made of."""
    chosen = conditions(suite)
    if not chosen:
        return
    how = (
        "each divided by AlexNet's" if _normalised(suite) else "as CIFAR-10-C is reported, not divided by a baseline's"
    )
    yield Sheet(
        "Mean corruption error",
        "Top-1 error in percent, mean over five severities, of the fifteen corruptions that Hendrycks and Dietterich "
        f"(2019) count; their mean, {how}; and what they add to the error without corruption.",
        ["model", "mean corruption error", "added", *chosen],
        [
            [
                card.model.name,
                percent(mean_corruption_error(card)),
                percent(mean_corruption_error(card, relative=True)),
                *(percent(corruption_error(card, name)) for name in chosen),
            ]
            for card in cards
        ],
    )
