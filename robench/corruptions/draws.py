"""Random numbers for noise, fast: 16-bit uniform integers, and tables that turn them into other distributions.

A table holds the quantile at the middle of each of 65,536 equally likely cells. A probability is thus right to 2^-17,
and a gaussian ends at 4.3 standard deviations; on images of 8 bits neither can be seen.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, poisson

Floats = npt.NDArray[np.float32]
CELLS = 2**16


class Draws:
    """The random numbers of a chunk of images.

    Args:
        rng: where the integers come from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def _cells(self, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
        count = math.prod(shape)
        raw = self.rng.bit_generator.random_raw(-(-count // 4))  # 64 bits each
        return raw.astype("<u8").view("<u2")[:count].astype(np.intp).reshape(shape)

    def uniform(self, shape: tuple[int, ...]) -> Floats:
        """Uniform in (0, 1)."""
        numbers = self._cells(shape).astype(np.float32)
        numbers += 0.5
        numbers /= CELLS
        return numbers

    def normal(self, shape: tuple[int, ...]) -> Floats:
        """Standard normal."""
        return np.take(_normal_table(), self._cells(shape))

    def poisson(self, means: npt.NDArray[np.float64], which: npt.NDArray[np.intp]) -> Floats:
        """Poisson counts: element i has the mean ``means[which[i]]``, of at most 256 means."""
        table = _poisson_table(tuple(means))
        places = self._cells(which.shape)
        places += which * CELLS
        return np.take(table, places).astype(np.float32)


@lru_cache(maxsize=1)
def _normal_table() -> Floats:
    return norm.ppf((np.arange(CELLS) + 0.5) / CELLS).astype(np.float32)


@lru_cache(maxsize=1)
def _poisson_table(means: tuple[float, ...]) -> npt.NDArray[np.uint16]:
    """Row m has each count as often as it occurs among 65,536 draws of mean m; rows one after the other."""
    top = int(max(means) + 10 * max(means) ** 0.5 + 10)
    counts = np.arange(top + 1)
    below = np.rint(poisson.cdf(counts, np.array(means)[:, None]) * CELLS).astype(np.int64)
    below[:, -1] = CELLS
    repeats = np.diff(below, axis=1, prepend=0)
    return np.repeat(np.tile(counts.astype(np.uint16), len(means)), repeats.ravel())
