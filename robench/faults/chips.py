"""Which cells of a chip err at a rate: fixed for each chip, nested in the rate, and drawn in time of their number."""

import numpy as np
import numpy.typing as npt

from robench.faults import Addresses, Streams

FIRST = 1024
"""Random numbers of the first block; each further block has twice as many."""


def below(size: int, rate: float, streams: Streams) -> tuple[Addresses, npt.NDArray[np.float64]]:
    """The cells whose uniform number is below a rate, and these numbers, in ascending order.

    Every cell of a chip has a number, uniform in [0, 1) and independent of the others (Stutz et al. 2021,
    arXiv:2006.13977); a cell errs at rate p where its number is below p, so that errors at a rate err at every higher
    one. The numbers are never written out. In ascending order they are partial sums of exponential numbers (Renyi
    1953), and their cells a random order of all: both are drawn as far as the rate reaches.

    Args:
        size: cells of the chip.
        rate: in [0, 1].
        streams: of the chip; "numbers" and "cells" are used.
    """
    if not size or not rate:
        return np.zeros(0, np.int64), np.zeros(0)
    numbers = _ascending(size, rate, streams("numbers"))
    return first(size, len(numbers), streams), numbers


def first(size: int, count: int, streams: Streams) -> Addresses:
    """The first ``count`` of the cells of a chip in its random order; the same order for every count."""
    half = -(-size // 2)
    found = _distinct(size, min(count, half), streams("cells"))
    if count <= half:
        return found
    # Beyond half of them, most draws would be of cells that are there already.
    rest = np.setdiff1d(np.arange(size), found, assume_unique=True)
    return np.concatenate([found, streams("rest").permutation(rest)[: count - half]])


def _ascending(size: int, rate: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The smallest of ``size`` uniform numbers, as far as they are below ``rate``."""
    limit = -np.log1p(-rate) if rate < 1 else np.inf
    parts, total, done, block = [np.zeros(0)], 0.0, 0, FIRST
    while total < limit and done < size:
        count = min(block, size - done)
        steps = rng.standard_exponential(block)[:count] / (size - done - np.arange(count))
        sums = total + np.cumsum(steps)
        parts.append(sums[sums < limit])
        total, done, block = float(sums[-1]), done + count, 2 * block
    return -np.expm1(-np.concatenate(parts))


def _distinct(size: int, count: int, rng: np.random.Generator) -> Addresses:
    """``count`` different numbers below ``size`` in random order; more of them begin with the same ones."""
    drawn, different, block = np.zeros(0, np.int64), np.zeros(0, np.int64), FIRST
    while len(different) < count:
        drawn = np.concatenate([drawn, rng.integers(size, size=block)])
        different, block = drawn[np.sort(np.unique(drawn, return_index=True)[1])], 2 * block
    return different[:count]
