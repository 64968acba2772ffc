"""Intervals and paired tests. The image is the unit; draws of noise are never pooled with images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, binomtest, norm, ttest_ind
from scipy.stats import t as student

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

    def __neg__(self) -> "Estimate":
        """Of what is counted the other way round."""
        return Estimate(-self.value, -self.high, -self.low)

    def as_share(self) -> "Estimate":
        """The same, with an interval that lies in [0, 1]."""
        return Estimate(self.value, max(self.low, 0.0), min(self.high, 1.0))


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


def bootstrap_mean(values: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Mean of a matrix [rows, images], whose rows are fixed, with its percentile bootstrap interval over images.

    Args:
        values: one row for each severity; outcomes, or differences of paired outcomes.
        confidence: of the interval.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(_resampled_means(values), [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high))


def image_mean(values: npt.NDArray[np.floating]) -> Estimate:
    """Mean over images [N] with its percentile bootstrap interval."""
    return bootstrap_mean(values[None].astype(float))


def bootstrap_p(differences: np.ndarray) -> float:
    """Two-sided p-value of a mean difference of 0, from the same bootstrap; never below 2 / (resamples + 1)."""
    means = _resampled_means(differences)
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return min(2 * (beyond + 1) / (len(means) + 1), 1.0)


def crossed_mean(values: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Mean of a matrix [draws, images] with its interval over other draws and other images.

    Both are random, and each draw sees each image: the variance of the mean is that of the two-way analysis of
    variance, with Satterthwaite's degrees of freedom (Satterthwaite 1946). Draws are few, and this is what it is for:
    with 5 or 10 of them the percentile bootstrap's intervals are too short (tests/results/test_stats.py has coverages).
    """
    return crossed_sum([values], confidence)


def crossed_p(differences: np.ndarray) -> float:
    """Two-sided p-value of a mean difference of 0, for the same variance."""
    return crossed_sum_p([differences])


def crossed_sum(blocks: Sequence[np.ndarray], confidence: float = 0.95) -> Estimate:
    """Sum of the means of several matrices [draws, images], with its interval over other draws and other images.

    The images are the same in all; each matrix has draws of its own, in any number. The variance is that between the
    images' sums, and what the draws of each matrix add to it. A matrix with one row has no draws: it is fixed.
    """
    error, freedom = _crossed_error(blocks)
    total, half = _sum_of_means(blocks), float(student.ppf(0.5 + confidence / 2, freedom)) * error
    return Estimate(total, total - half, total + half)


def crossed_sum_p(blocks: Sequence[np.ndarray]) -> float:
    """Two-sided p-value of a sum of 0, for the same variance."""
    error, freedom = _crossed_error(blocks)
    total = abs(_sum_of_means(blocks))
    return float(2 * student.sf(total / error, freedom)) if error else float(total == 0)


def _sum_of_means(blocks: Sequence[np.ndarray]) -> float:
    return sum(float(block.mean()) for block in blocks)


def student_mean(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Mean of a few independent numbers with Student's interval; of a single one it is unbounded."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Estimate(mean, -np.inf, np.inf)
    half = float(student.ppf(0.5 + confidence / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return Estimate(mean, mean - half, mean + half)


def ratio(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Ratio of the geometric means of two samples of positive numbers, with Welch's interval (Welch 1947)."""
    logs = np.log(first), np.log(second)
    found = ttest_ind(*logs, equal_var=False).confidence_interval(confidence)
    return Estimate(*(float(np.exp(value)) for value in (logs[0].mean() - logs[1].mean(), found.low, found.high)))


def counted_mean(correct: Sequence[int], total: int, confidence: float = 0.95) -> Estimate:
    """Mean share of right images over draws of which only the counts are known, with its interval over both.

    The variance is that between the draws, over their number, and the binomial one of a draw, which is no less than
    what the images add to it; the degrees of freedom are Satterthwaite's.
    """
    shares = np.asarray(correct) / total
    mean, draws = float(shares.mean()), len(shares)
    of_draws, of_images = float(shares.var(ddof=1)) / draws if draws > 1 else 0.0, mean * (1 - mean) / total
    error, freedom = np.sqrt(of_draws + of_images), np.inf
    if of_draws:
        freedom = (of_draws + of_images) ** 2 / (of_draws**2 / (draws - 1) + of_images**2 / (total - 1))
    half = float(student.ppf(0.5 + confidence / 2, freedom)) * float(error)
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def _crossed_error(blocks: Sequence[np.ndarray]) -> tuple[float, float]:
    """Standard error of the sum of the means of matrices [draws, images], and its degrees of freedom."""
    images = blocks[0].shape[1]
    if images < 2:
        return np.inf, 1.0
    of_images = float(np.sum([block.mean(0) for block in blocks], axis=0).var(ddof=1)) / images
    total, parts = of_images, [(of_images, images - 1)]
    for block in blocks:
        draws = len(block)
        if draws > 1:
            by_draw, by_image = block.mean(1), block.mean(0)
            of_draws, freedom = float(by_draw.var(ddof=1)) / draws, (draws - 1) * (images - 1)
            rest = float(np.square(block - by_draw[:, None] - by_image + block.mean()).sum()) / freedom / block.size
            total += max(of_draws - rest, 0.0)
            parts += [(of_draws, draws - 1), (rest, freedom)]
    if not total:
        return 0.0, 1.0
    return float(np.sqrt(total)), max(total**2 / sum(part**2 / freedom for part, freedom in parts), 1.0)


def _resampled_means(values: np.ndarray) -> npt.NDArray[np.float64]:
    # Outcomes and their differences are whole numbers, and so are their sums: exact on every processor, whatever the
    # order of additions. A sum of shares would be 1e-18 on one and -1e-18 on another where the mean is 0.
    rows, images = values.shape
    sums = values.sum(0, dtype=float)
    if images <= MANY:
        return np.concatenate([counts @ sums for counts in _known_counts(rows, images)]) / values.size
    # Images with the same sum are drawn together: the same distribution, from fewer random numbers.
    different, times = np.unique(sums, return_counts=True)
    return np.concatenate([counts @ different for counts in _counts(rows, images, times / images)]) / values.size


@lru_cache(maxsize=8)
def _known_counts(rows: int, images: int) -> tuple[npt.NDArray[np.float64], ...]:
    return tuple(_counts(rows, images, np.full(images, 1 / images)))


def _counts(rows: int, images: int, shares: npt.NDArray[np.float64]) -> Iterator[npt.NDArray[np.float64]]:
    """How often each image, or each kind of images, is drawn, some resamples at a time: [resamples, kinds]."""
    rng = stream(0, "bootstrap", rows, images)
    size = max(HELD // len(shares), 1)
    for start in range(0, RESAMPLES, size):
        yield rng.multinomial(images, shares, min(size, RESAMPLES - start)).astype(float)
