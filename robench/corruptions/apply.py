"""The wrapper of every corruption: checks, and randomness keyed by the place of an image in its data set."""

import numpy as np

from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.core.types import Blocks, Images
from robench.corruptions import CIFAR, CORRUPTIONS, IMAGENET, Amount
from robench.corruptions.draws import Draws

CHUNK = 64
LARGEST = 10_000
"""Of an amount: at 10,000 photons, shot noise is a quarter of the last bit of a grey pixel."""
ROUNDING = 1e-3  # float32 must not truncate an untouched pixel to the level below


def amount_of(name: str, severity: float | None, amount: float | None = None, of: str = CIFAR) -> Amount:
    """The amount of a corruption at a severity, or the one that is given instead.

    Args:
        name: of a registered corruption.
        severity: 1 to 5.
        amount: a number of one's own, in place of a severity.
        of: whose severities: ``cifar10-c`` or ``imagenet-c``.

    Raises:
        RobenchError: unknown name, a severity that does not exist, or an amount that is not positive.
    """
    corruption = CORRUPTIONS[name]
    if of not in (CIFAR, IMAGENET):
        raise RobenchError(f"parameters of the corruption {name} must be {CIFAR} or {IMAGENET}, not {of!r}.")
    amounts = corruption.amounts if of == CIFAR else corruption.imagenet
    if not amounts:
        raise RobenchError(f"the corruption {name} has no severities for large images ({IMAGENET}); give an amount.")
    if amount is not None and severity is None:
        if isinstance(amounts[0], tuple):
            raise RobenchError(f"the corruption {name} has {len(amounts[0])} settings; it takes a severity, no amount.")
        if not 0 < amount <= LARGEST:
            raise RobenchError(f"the amount of {name} must be a number above 0, and at most {LARGEST:,}, not {amount}.")
        return amount
    if amount is not None:
        raise RobenchError(f"the corruption {name} takes a severity or an amount, not both.")
    if severity is None or severity not in range(1, len(amounts) + 1):
        raise RobenchError(f"severity {severity} of {name} does not exist; choose 1 to {len(amounts)}.")
    return amounts[int(severity) - 1]


def corrupt(images: Blocks, name: str, amount: Amount, seed: int, draw: int = 0) -> Images:
    """Corrupt all of some images, see ``Corrupted``; uint8 of the same shape."""
    return Corrupted(images, name, amount, seed, draw)[:]


class Corrupted:
    """8-bit images, corrupted as CIFAR-10-C does when they are asked for: noise on [0, 1], clip, times 255, truncate.

    Images go in chunks of 64, the last one filled up, each with a random stream of its own: the noise of image i
    depends on nothing but i, and so not on the block in which it is asked for.

    Args:
        images: uint8 [N, C, H, W].
        name: of a registered corruption.
        amount: what its function takes, such as the standard deviation; ``amount_of`` has that of a severity.
        seed: of the suite. The stream does not depend on the amount, so severities nest: the same draw, scaled.
        draw: number of the repetition.

    Raises:
        RobenchError: unknown name, or a function that breaks its contract.
    """

    def __init__(self, images: Blocks, name: str, amount: Amount, seed: int, draw: int = 0) -> None:
        self.images, self.name, self.amount = images, name, amount
        self.seed, self.draw = seed, draw
        self.function = CORRUPTIONS[name].function

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return self.images.shape

    def __getitem__(self, chosen: slice) -> Images:
        """uint8 [n, C, H, W] of images that follow one another."""
        start, stop, _ = chosen.indices(len(self))
        first = start - start % CHUNK
        result = np.empty((max(stop - first, 0), *self.shape[1:]), np.uint8)
        clean = self.images[first : min(-(-stop // CHUNK) * CHUNK, len(self))]
        for place in range(0, len(result), CHUNK):
            noisy = self._chunk(clean[place : place + CHUNK], (first + place) // CHUNK)
            result[place : place + CHUNK] = noisy[: len(result) - place]
        return result[start - first :]

    def _chunk(self, clean: Images, number: int) -> Images:
        pixels = np.zeros((CHUNK, *self.shape[1:]), np.float32)
        pixels[: len(clean)] = clean / np.float32(255)
        draws = Draws(stream(self.seed, "corruption", self.name, self.draw, number))
        noisy = self.function(pixels, self.amount, draws)
        if noisy.shape != pixels.shape or not np.isfinite(noisy.sum()):
            raise RobenchError(
                f"the corruption {self.name} returned a wrong shape or non-finite values; fix the plug-in."
            )
        levels = noisy[: len(clean)].clip(0, 1)
        levels *= 255
        levels += ROUNDING
        return levels.astype(np.uint8)
