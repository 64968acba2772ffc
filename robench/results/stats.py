"""Intervals and paired tests. The image is the unit; draws of noise are never pooled with images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, binomtest, norm

from robench.core.seeding import stream
from robench.core.types import Bits

RESAMPLES = 2000
MANY = 2_000
"""Images above which those with equal outcomes are drawn together in a bootstrap."""
HELD = 2**22
"""Random numbers of a bootstrap that are held at once."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; accuracies and differences are shares in [-1, 1]."""

    value: float
    low: float
    high: float


def wilson(correct: int, total: int, confidence: float = 0.95) -> Estimate:
    """Accuracy of one network on ``total`` images with Wilson's score interval (Wilson 1927)."""
    z = norm.ppf(0.5 + confidence / 2)
    share = correct / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return Estimate(share, max(float(centre - half), 0.0), min(float(centre + half), 1.0))


def median(values: npt.NDArray[np.float64], confidence: float = 0.95) -> Estimate:
    """Median (the lower of two middle values) with the interval between order statistics that binomial counts give.

    Values may be infinite (censored), as long as the order is known.
    """
    ordered = np.sort(values)
    count = len(ordered)
    low, high = binom.interval(confidence, count, 0.5)
    places = (count - 1) // 2, max(int(low) - 1, 0), min(int(high), count - 1)
    return Estimate(*(float(ordered[place]) for place in places))


def mcnemar(first: Bits, second: Bits) -> float:
    """Exact two-sided McNemar p-value for two networks' outcomes on the same images (McNemar 1947)."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    disagree = only_first + only_second
    return float(binomtest(only_first, disagree).pvalue) if disagree else 1.0


def paired_difference(first: Bits, second: Bits, confidence: float = 0.95) -> Estimate:
    """Accuracy of ``first`` minus ``second`` on the same images, with the adjusted Wald interval.

    Half a pair is added to each cell of the 2x2 table for the interval (Agresti and Min 2005,
    doi:10.1002/sim.1781); the value itself is the plain difference.
    """
    total = len(first)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    b, c, n = only_first + 0.5, only_second + 0.5, total + 2
    half = norm.ppf(0.5 + confidence / 2) * np.sqrt((b + c) - (b - c) ** 2 / n) / n
    centre = (b - c) / n
    return Estimate((only_first - only_second) / total, float(centre - half), float(centre + half))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, so that the chance of any false alarm is bounded (Holm 1979)."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min((count - rank) * p_values[index], 1.0))
        adjusted[index] = largest
    return adjusted


def bootstrap_mean(values: np.ndarray, *, resample_rows: bool, confidence: float = 0.95) -> Estimate:
    """Mean of a matrix [rows, images] with its percentile bootstrap interval.

    Args:
        values: one row for each draw or severity; outcomes, or differences of paired outcomes.
        resample_rows: True where rows are random draws: a two-way bootstrap over draws and images. False where rows
            are fixed, such as the five severities: images alone are resampled.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(_resampled_means(values, resample_rows), [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high))


def image_mean(values: npt.NDArray[np.floating]) -> Estimate:
    """Mean over images [N] with its percentile bootstrap interval."""
    return bootstrap_mean(values[None].astype(float), resample_rows=False)


def bootstrap_p(differences: np.ndarray, *, resample_rows: bool) -> float:
    """Two-sided p-value of a mean difference of 0, from the same bootstrap; never below 2 / (resamples + 1)."""
    means = _resampled_means(differences, resample_rows)
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return min(2 * (beyond + 1) / (len(means) + 1), 1.0)


def _resampled_means(values: np.ndarray, resample_rows: bool) -> npt.NDArray[np.float64]:
    # Outcomes and their differences are whole numbers, and so are their sums: exact on every processor, whatever the
    # order of additions. A sum of shares would be 1e-18 on one and -1e-18 on another where the mean is 0.
    rows, images = values.shape
    if images > MANY:
        # Images with the same outcomes are drawn together: the same distribution, from fewer random numbers.
        patterns, times = _patterns(values)
        parts: Iterable[npt.NDArray[np.float64]] = _counts(rows, images, times / images)
    else:
        patterns, parts = values, _known_counts(rows, images)
    # One part after the other, of which the last is for the rows: not all of them are held at once.
    sums, latest = [], np.zeros((0, patterns.shape[1]))
    for part in parts:
        sums.append(latest @ patterns.T)
        latest = part
    row_counts = latest if resample_rows else np.ones((1, rows))
    return (row_counts * np.concatenate(sums)).sum(1) / values.size


def _patterns(values: np.ndarray) -> tuple[np.ndarray, npt.NDArray[np.intp]]:
    """The different columns of a matrix, and how often each is there."""
    kinds = np.zeros(values.shape[1], np.intp)
    for row in values:
        levels, place = np.unique(row, return_inverse=True)
        kinds = np.unique(kinds * len(levels) + place, return_inverse=True)[1]
    _, first, times = np.unique(kinds, return_index=True, return_counts=True)
    return values[:, first], times


@lru_cache(maxsize=8)
def _known_counts(rows: int, images: int) -> tuple[npt.NDArray[np.float64], ...]:
    return tuple(_counts(rows, images))


def _counts(rows: int, images: int, shares: npt.NDArray[np.float64] | None = None) -> Iterator[npt.NDArray[np.float64]]:
    """How often each image is drawn, some resamples at a time: [resamples, images]; at last, each row: [all, rows]."""
    rng = stream(0, "bootstrap", rows, images)
    shares = np.full(images, 1 / images) if shares is None else shares
    size = max(HELD // len(shares), 1)
    for start in range(0, RESAMPLES, size):
        yield rng.multinomial(images, shares, min(size, RESAMPLES - start)).astype(float)
    yield rng.multinomial(rows, np.full(rows, 1 / rows), RESAMPLES).astype(float)
