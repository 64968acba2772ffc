"""Noise on the input image. One file a noise: a pure function of images, and its five severities.

Parameters are those of CIFAR-10-C (Hendrycks and Dietterich 2019, arXiv:1903.12261), for 32x32 images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robench.core.registry import Registry
from robench.corruptions.draws import Draws, Floats

Function = Callable[[Floats, float, Draws], Floats]


@dataclass(frozen=True)
class Corruption:
    """A noise: its function (images in [0, 1], amount, draws) -> images, and the amount at each severity 1..5."""

    function: Function
    amounts: tuple[float, ...]


CORRUPTIONS: Registry[Corruption] = Registry("corruption", "robench.corruptions")


def register(name: str, amounts: Sequence[float]) -> Callable[[Function], Function]:
    """Add a noise under ``name``; ``amounts`` holds what its function gets at severity 1, 2, 3, 4 and 5."""

    def add(function: Function) -> Function:
        CORRUPTIONS.add(name, Corruption(function, tuple(amounts)))
        return function

    return add
