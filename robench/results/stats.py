"""Intervals and paired tests. The image is the unit; draws of noise are never pooled with images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, binomtest, norm

from robench.core.seeding import stream
from robench.core.types import Bits

RESAMPLES = 2000


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
    image_counts, row_counts = _counts(*values.shape, resample_rows)
    sums = (row_counts * (image_counts @ values.T)).sum(1)
    return sums / values.size


@lru_cache(maxsize=8)
def _counts(rows: int, images: int, resample_rows: bool) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How often each image and each row is drawn in each resample: [resamples, images], [resamples, rows]."""
    rng = stream(0, "bootstrap", rows, images)
    image_counts = rng.multinomial(images, np.full(images, 1 / images), RESAMPLES)
    row_counts = rng.multinomial(rows, np.full(rows, 1 / rows), RESAMPLES) if resample_rows else np.ones((1, rows))
    return image_counts.astype(float), row_counts.astype(float)
