"""Changes of the deployed weights. One file a family: a pure function of one weight tensor.

Noise acts on every convolution and linear layer. A projection acts on the inner layers that are still in full
precision: on low-bit codes it is the identity, and a model with no such layer gets "n/a", not a score.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robench.core.registry import Registry

Weight = npt.NDArray[np.float32]
Function = Callable[[Weight, float, np.random.Generator], Weight]


@dataclass(frozen=True)
class Distortion:
    """A change of weights.

    Attributes:
        function: (weight, level, rng) -> weight.
        levels: its usual ones, (None,) where it has no level.
        projection: whether it projects weights (no randomness) instead of adding noise.
    """

    function: Function
    levels: tuple[float | None, ...]
    projection: bool


DISTORTIONS: Registry[Distortion] = Registry("distortion", "robench.distortions")


def register(
    name: str, levels: tuple[float | None, ...] = (None,), *, projection: bool = False
) -> Callable[[Function], Function]:
    """Add a distortion under ``name``; a distortion without a level gets nan for it."""

    def add(function: Function) -> Function:
        DISTORTIONS.add(name, Distortion(function, levels, projection))
        return function

    return add
