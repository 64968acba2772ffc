"""How images of any size become images of one size: a rule that can be stated in a line."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robench.core.errors import RobenchError

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
"""Width and height."""
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


@dataclass(frozen=True)
class InputSize:
    """Which images a model takes.

    Attributes:
        width, height: in pixels.
        crop: share of the shorter side that is kept, in (0, 1].
        interpolation: one of ``INTERPOLATIONS``.
        squash: both sides are scaled, each by its own factor, instead of the shorter one.
        fixed: the model takes no other size.
    """

    width: int
    height: int
    crop: float = 224 / 256
    interpolation: str = "bilinear"
    squash: bool = False
    fixed: bool = False


IMAGENET = InputSize(224, 224)
"""What torchvision's classifiers are evaluated on, and most others."""


@dataclass(frozen=True)
class Resizing:
    """Scale, then cut the centre out.

    Attributes:
        size: what comes out.
        scaled: size of the whole image after scaling where both sides are given, the length of its shorter side where
            one number is; None where nothing is scaled or cut.
        interpolation: one of ``INTERPOLATIONS``.
    """

    size: Size
    scaled: Size | int | None = None
    interpolation: str = "bilinear"

    def __str__(self) -> str:
        width, height = self.size
        if self.scaled is None:
            return f"images of {width}x{height} pixels as they are"
        how = (
            f"shorter side to {self.scaled}" if isinstance(self.scaled, int) else "scaled to {}x{}".format(*self.scaled)
        )
        return f"{how} pixels ({self.interpolation}), central {width}x{height}"

    def __call__(self, image: "Image") -> "Image":
        """An image of ``size``.

        Raises:
            RobenchError: it is of another size, and nothing is scaled.
        """
        if self.scaled is None:
            if image.size != self.size:
                raise RobenchError("has {}x{} pixels, and the others {}x{}".format(*image.size, *self.size))
            return image
        from PIL.Image import Resampling

        return _centre(image.resize(self._scaled(image.size), Resampling[self.interpolation.upper()]), self.size)

    def _scaled(self, size: Size) -> Size:
        if not isinstance(self.scaled, int):
            assert self.scaled is not None
            return self.scaled
        short, long = min(size), max(size)
        other = int(self.scaled * long / short)
        return (self.scaled, other) if size[0] == short else (other, self.scaled)


def resizing(sizes: Collection[Size], wanted: InputSize | None) -> Resizing:
    """The rule for images of these sizes and a model.

    Images that all have one size stay as they are, unless the model takes one size alone, or says that it takes a
    smaller one. All others are scaled and cut as the model says, or, where it says nothing, to 224x224 pixels from a
    shorter side of 256.
    """
    if len(sizes) == 1:
        (size,) = sizes
        if wanted is None or _fits(size, wanted):
            return Resizing(size)
    wanted = wanted or IMAGENET
    size = (wanted.width, wanted.height)
    width, height = (math.floor(side / wanted.crop) for side in size)
    if wanted.squash or width != height:
        return Resizing(size, (width, height), wanted.interpolation)
    return Resizing(size, width, wanted.interpolation)


def _fits(size: Size, wanted: InputSize) -> bool:
    own = (wanted.width, wanted.height)
    return size == own if wanted.fixed else size[0] <= own[0] and size[1] <= own[1]


def _centre(image: "Image", size: Size) -> "Image":
    left, top = (round((whole - part) / 2) for whole, part in zip(image.size, size, strict=True))
    return image.crop((left, top, left + size[0], top + size[1]))
