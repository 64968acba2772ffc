"""Few values seen in a float weight: its levels, the bits that they need, and the codes that stand for them.

Whatever rule made a weight, what a memory holds of it is which of a few levels each value is. They are found tensor by
tensor, or filter by filter, within float32's rounding (``w + (t - w)`` is not always ``t``).
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from robench.quantizers.stored import StoredWeight, coded

MOST = 256
"""Levels of a filter: 8 bits."""
ROUNDING = 1e-5
"""Values nearer to each other than this share of the largest are one level."""
OFF = 2e-3
"""How far a level may be off a grid, in steps."""
SURE = -6.0
"""Logarithm (base 10) of the probability with which other weights would fit a grid by chance."""
SAMPLE = 4096
"""Weights that are looked at first, as most have far too many values."""
SMALLEST = 8
"""Weights of a filter, or of a tensor, in which a level that comes back is no accident."""

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Levels:
    """The levels of one filter, or of one tensor.

    Attributes:
        values: ascending.
        index: which of them each weight is.
    """

    values: Array
    index: Codes

    @property
    def repeated(self) -> bool:
        """Whether levels other than 0 come back, twice on average; a pruned weight's do not."""
        some = self.values != 0
        return int(some.sum()) <= int(some[self.index].sum()) / 2


def low_bit(weight: torch.Tensor, bits: int = 0) -> StoredWeight | None:
    """The codes of a weight [F, ...] that takes at most 256 values, in the tensor or in each filter.

    In this order: one or two magnitudes with signs (and zeros); multiples of a step, perhaps from a zero point; odd
    multiples of half a step; any other levels, each with a code (see the scales of ``StoredWeight``).

    Args:
        weight: float, of any device.
        bits: of a code, where the user knows: more than are seen, as a rule may not have used all of its levels, or
            fewer than an even grid would need, for levels such as powers of two.

    Returns:
        None where it takes more values, or is zero.
    """
    flat = weight.detach().cpu().float()
    if flat.dim() < 2 or not flat.numel() or not flat.isfinite().all() or not flat.any():
        return None
    found = [levels for rows in (flat.reshape(1, -1), flat.flatten(1)) if (levels := _levels_of(rows.double().numpy()))]
    rules = (_signs, partial(_grid, wanted=bits), partial(_table, wanted=bits))
    for (
        rule
    ) in rules:  # for the tensor and for its filters, before the next: many scales make few levels look like many
        made = [coding for levels in found if (coding := rule(levels)) and (not bits or coding.bits <= bits)]
        if made:
            best = min(made, key=lambda coding: coding.bits)
            return _stored(best, torch.from_numpy(best.codes.astype(np.int16)).view(weight.shape), bits)
    return None


@dataclass(frozen=True)
class _Coding:
    """Codes [rows, weights], and what they stand for; ``table`` says that scales are levels."""

    codes: Codes
    scale: Array
    bits: int
    zero_point: Codes | None = None
    table: bool = False


def _stored(made: _Coding, codes: torch.Tensor, bits: int) -> StoredWeight:
    scale = torch.from_numpy(made.scale.astype(np.float32))
    codes = codes.to(torch.int8)
    if made.table:
        return StoredWeight(codes, "offset_binary", made.bits, scale)
    if made.zero_point is None:
        return coded(codes, scale, max(made.bits, bits))
    return StoredWeight(codes, "twos_complement", made.bits, scale, torch.from_numpy(made.zero_point.astype(np.int16)))


def _levels_of(rows: Array) -> list[Levels] | None:
    """Of each row; None where one has too many."""
    found = []
    for row in rows:
        levels = _levels(row)
        if levels is None:
            return None
        found.append(levels)
    return found


def _levels(row: Array) -> Levels | None:
    if len(row) > SAMPLE and _levels(row[:SAMPLE]) is None:
        return None
    order = np.argsort(row, kind="stable")
    ordered = row[order]
    near = ROUNDING * np.abs(ordered[[0, -1]]).max()
    starts = np.r_[0, np.flatnonzero(np.diff(ordered) > near) + 1]
    if len(starts) > MOST:
        return None
    ends = np.r_[starts[1:], len(row)] - 1
    if (ordered[ends] - ordered[starts] > 2 * near).any():  # values so dense that each is near the next
        return None
    values = ordered[(starts + ends) // 2]
    index = np.empty(len(row), np.int64)
    index[order] = np.repeat(np.arange(len(starts)), ends - starts + 1)
    return Levels(np.where(np.abs(values) <= near, 0.0, values), index)


def _signs(found: list[Levels]) -> _Coding | None:
    """Binary and ternary values: no more than one magnitude on each side of 0."""
    if len(found[0].index) < SMALLEST:
        return None
    if any(int((levels.values < 0).sum()) > 1 or int((levels.values > 0).sum()) > 1 for levels in found):
        return None
    low = np.array([max(-levels.values.min(), 0.0) for levels in found])
    high = np.array([max(levels.values.max(), 0.0) for levels in found])
    codes = np.stack([np.sign(levels.values).astype(np.int64)[levels.index] for levels in found])
    both = (low > 0) & (high > 0)
    alike = np.abs(low - high)[both] <= ROUNDING * np.maximum(low, high)[both]
    larger = np.maximum(low, high)
    scale = larger[None] if alike.all() else np.stack([np.where(low > 0, low, high), np.where(high > 0, high, low)])
    return _Coding(codes, scale, 2 if (codes == 0).any() else 1)


def _grid(found: list[Levels], wanted: int) -> _Coding | None:
    """Multiples of a step in every row."""
    fits = [fit for levels in found if (fit := _multiples(levels.values))]
    if len(fits) < len(found) or sum(fit.chance for fit in fits) > SURE:
        return None
    steps = np.array([[fit.step for fit in fits]])
    codes = np.stack([fit.multiples[levels.index] for fit, levels in zip(fits, found, strict=True)])
    return _between(codes, steps, wanted) if (codes % 2 != 0).all() else _anchored(codes, steps, wanted)


def _between(codes: Codes, steps: Array, wanted: int) -> _Coding | None:
    """Odd multiples of half a step: 0 lies between two levels, and every level is in a table."""
    bits = max(_log2(int(np.abs(codes).max()) + 1), 2, wanted)
    if bits > 8:
        return None
    table = (2 * np.arange(2**bits)[:, None] + 1 - 2**bits) * steps
    return _Coding((codes - 1) // 2, table, bits, table=True)


def _anchored(codes: Codes, steps: Array, wanted: int) -> _Coding | None:
    """Multiples of a step, 0 among them; from a zero point on where that takes fewer bits."""
    lowest, highest = codes.min(1).clip(max=0), codes.max(1).clip(min=0)
    fewest = max(_log2(int((highest - lowest).max()) + 1), 2, wanted)
    if fewest > 8:
        return None
    if _width(int(lowest.min()), int(highest.max())) <= fewest:
        return _Coding(codes, steps, fewest)
    zeros = -(2 ** (fewest - 1)) - lowest
    return _Coding(codes + zeros[:, None], steps, fewest, zeros[None])


def _log2(count: int) -> int:
    """Bits that tell ``count`` things apart."""
    return math.ceil(math.log2(count))


def _width(lowest: int, highest: int) -> int:
    """Bits of two's complement that hold codes from ``lowest`` to ``highest``."""
    return max(_log2(max(-lowest, highest + 1, 1)) + 1, 2)


@dataclass(frozen=True)
class _Fit:
    """A step, the multiples of it that some values are, and the logarithm of the probability that others would fit."""

    step: float
    multiples: Codes
    chance: float


def _multiples(values: Array) -> _Fit | None:
    """The largest step of which all values are multiples."""
    anchored = np.union1d(values, [0.0])
    span = float(anchored[-1] - anchored[0])
    if span == 0:
        return _Fit(1.0, np.zeros(len(values), np.int64), 0.0)
    smallest = float(np.diff(anchored).min())
    parts = np.arange(1, int(2 * MOST * smallest / span) + 1)
    steps = span / np.rint(span * parts / smallest)
    shares = values[:, None] / steps
    good = np.flatnonzero((np.abs(shares - np.rint(shares)) < OFF).all(0))
    if not len(good):
        return None
    step = float(steps[good[0]])
    free = max(int((values != 0).sum()) - 1, 0)
    chance = min(free * math.log10(2 * OFF) + math.log10(len(parts)), 0.0)
    return _Fit(step, np.rint(values / step).astype(np.int64), chance)


def _table(found: list[Levels], wanted: int) -> _Coding | None:
    """Any levels that come back often enough: a code for each, in ascending order."""
    if not all(levels.repeated and len(levels.index) >= SMALLEST for levels in found):
        return None
    most = max(len(levels.values) for levels in found)
    bits = max(_log2(most), wanted, 2)
    table = np.stack([np.pad(levels.values, (0, 2**bits - len(levels.values)), "edge") for levels in found], axis=1)
    codes = np.stack([levels.index for levels in found]) - 2 ** (bits - 1)
    return _Coding(codes, table, bits, table=True)
