"""Corruptions of the input image. One file each: a pure function of images, and its five severities.

The severities are those of CIFAR-10-C for images of 32x32 pixels and of ImageNet-C for 224x224 (Hendrycks and
Dietterich 2019, arXiv:1903.12261). What the paper leaves open is as in the program that made them
(hendrycks/robustness, Apache 2.0).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from robench.core.registry import Registry
from robench.corruptions.draws import Draws, Floats

Amount = float | tuple[float, ...]
"""What a function gets: one number, or several settings."""
Function = Callable[[Floats, Any, Draws], Floats]
CIFAR, IMAGENET = "cifar10-c", "imagenet-c"


@dataclass(frozen=True)
class Corruption:
    """A corruption.

    Attributes:
        function: (images [N, C, H, W] in [0, 1], amount, draws) -> images.
        amounts: at each severity from 1 to 5, for small images.
        imagenet: the same for large ones; none where there are none.
    """

    function: Function
    amounts: tuple[Amount, ...]
    imagenet: tuple[Amount, ...] = ()


CORRUPTIONS: Registry[Corruption] = Registry("corruption", "robench.corruptions")


def register(name: str, amounts: Sequence[Amount], imagenet: Sequence[Amount] = ()) -> Callable[[Function], Function]:
    """Add a corruption under ``name``; see ``Corruption`` for what its function gets at severity 1, 2, 3, 4 and 5."""

    def add(function: Function) -> Function:
        CORRUPTIONS.add(name, Corruption(function, tuple(amounts), tuple(imagenet)))
        return function

    return add
