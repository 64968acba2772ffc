"""What the models of analog memories share: pairs of conductances, and the compensation of drift."""

import numpy as np
import torch

from robench.faults import Conductances
from robench.quantizers.stored import StoredWeight, decode


def normal(like: Conductances, rng: np.random.Generator) -> Conductances:
    """Standard normal numbers, one for each device."""
    return rng.standard_normal(like.shape, np.float32)


def compensated(now: Conductances, at_first: Conductances) -> Conductances:
    """Conductances times what a layer's reads have lost in sum: sum |y| at first over sum |y| now.

    y are the outputs for one-hot inputs, which are the weights themselves (Joshi et al. 2020; aihwkit,
    GlobalDriftCompensation).
    """
    before, after = (float(np.abs(pairs[0] - pairs[1]).sum()) for pairs in (at_first, now))
    return now * np.float32(before / after) if after else now


class Crossbar:
    """The devices that hold a weight: a pair for each, w = largest (scale+ g+ - scale- g-), one of them at 0.

    Codes are written as conductances, and their scales are multiplied to the output, as hardware does it; floats, and
    codes that stand for levels of a table, are written as shares of the layer's largest magnitude.

    Args:
        stored: the weight.

    Attributes:
        pairs: target conductances as shares of the largest one, float32 [2, ...]: positive parts, then negative ones.
    """

    def __init__(self, stored: StoredWeight) -> None:
        self._scale = None if stored.scale is None or len(stored.scale) > 2 else stored.scale
        unit = None if self._scale is None else torch.ones(1, 1)
        steps = stored.weight() if unit is None else decode(stored.values, unit, stored.zero_point)
        self._largest = float(steps.abs().max()) or 1.0
        shares = (steps / self._largest).numpy().astype(np.float32)
        self.pairs: Conductances = np.stack([np.maximum(shares, 0), np.maximum(-shares, 0)])

    def weight(self, pairs: Conductances) -> torch.Tensor:
        """The weight that a layer computes with when the devices have these conductances."""
        plus, minus = torch.from_numpy(pairs * np.float32(self._largest))
        if self._scale is None:
            return plus - minus
        negative, positive = (row.view(-1, *[1] * (plus.dim() - 1)) for row in (self._scale[0], self._scale[-1]))
        return positive * plus - negative * minus
