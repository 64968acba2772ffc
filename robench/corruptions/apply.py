"""The wrapper of every corruption: checks, and randomness keyed by the place of an image in its data set."""

import numpy as np

from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.core.types import Images
from robench.corruptions import CORRUPTIONS
from robench.corruptions.draws import Draws

CHUNK = 64
LARGEST = 10_000
"""Of an amount: at 10,000 photons, shot noise is a quarter of the last bit of a grey pixel."""
ROUNDING = 1e-3  # float32 must not truncate an untouched pixel to the level below


def amount_of(name: str, severity: float | None, amount: float | None = None) -> float:
    """The amount of a corruption at a severity, or the one that is given instead.

    Raises:
        RobenchError: unknown name, a severity that does not exist, or an amount that is not positive.
    """
    amounts = CORRUPTIONS[name].amounts
    if amount is not None and severity is None:
        if not 0 < amount <= LARGEST:
            raise RobenchError(f"the amount of {name} must be a number above 0, and at most {LARGEST:,}, not {amount}.")
        return amount
    if amount is not None:
        raise RobenchError(f"the corruption {name} takes a severity or an amount, not both.")
    if severity is None or severity not in range(1, len(amounts) + 1):
        raise RobenchError(f"severity {severity} of {name} does not exist; choose 1 to {len(amounts)}.")
    return amounts[int(severity) - 1]


def corrupt(images: Images, name: str, amount: float, seed: int, draw: int = 0) -> Images:
    """Corrupt 8-bit images as CIFAR-10-C does: noise on [0, 1], clip, times 255, truncate.

    Images go in chunks of 64, the last one filled up, each with a random stream of its own: the noise of image i
    depends on nothing but i.

    Args:
        images: uint8 [N, C, H, W].
        name: of a registered corruption.
        amount: what its function takes, such as the standard deviation; ``amount_of`` has that of a severity.
        seed: of the suite. The stream does not depend on the amount, so severities nest: the same draw, scaled.
        draw: number of the repetition.

    Returns:
        uint8 of the same shape.

    Raises:
        RobenchError: unknown name, or a function that breaks its contract.
    """
    function = CORRUPTIONS[name].function
    result = np.empty_like(images)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK]
        pixels = np.zeros((CHUNK, *images.shape[1:]), np.float32)
        pixels[: len(part)] = part / np.float32(255)
        noisy = function(pixels, amount, Draws(stream(seed, "corruption", name, draw, start // CHUNK)))
        if noisy.shape != pixels.shape or not np.isfinite(noisy.sum()):
            raise RobenchError(f"the corruption {name} returned a wrong shape or non-finite values; fix the plug-in.")
        levels = noisy[: len(part)].clip(0, 1)
        levels *= 255
        levels += ROUNDING
        result[start : start + CHUNK] = levels
    return result
