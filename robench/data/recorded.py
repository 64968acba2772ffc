"""Corrupted images that others made: CIFAR-10-C, ImageNet-C."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from robench.core.types import Images, Indices
from robench.data.lazy import LazyImages
from robench.data.resizing import InputSize

SEVERITIES = (1, 2, 3, 4, 5)
FILES = {
    "gaussian": "gaussian_noise",
    "poisson": "shot_noise",
    "salt_and_pepper": "impulse_noise",
    "speckle": "speckle_noise",
    "defocus_blur": "defocus_blur",
    "glass_blur": "glass_blur",
    "motion_blur": "motion_blur",
    "zoom_blur": "zoom_blur",
    "gaussian_blur": "gaussian_blur",
    "snow": "snow",
    "frost": "frost",
    "fog": "fog",
    "spatter": "spatter",
    "brightness": "brightness",
    "contrast": "contrast",
    "elastic": "elastic_transform",
    "pixelate": "pixelate",
    "jpeg": "jpeg_compression",
    "saturate": "saturate",
}
"""robench's name of a corruption -> that of the published files."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """The images of a data set under each corruption and severity.

    Attributes:
        read: (corruption, severity, indices) -> those images, in that order.
        there: every corruption and severity that can be read.
        chosen: which of the published images the data set has, in its order.
        wanted: how large images must be that are decoded.
    """

    read: Callable[[str, int, Indices], Images | LazyImages]
    there: frozenset[tuple[str, int]]
    chosen: Indices
    wanted: InputSize | None = None

    def of(self, name: str, severity: float | None) -> Images | LazyImages | None:
        """The images under a corruption at a severity; None where they are not there."""
        if (name, severity) not in self.there:
            return None
        images = self.read(name, int(severity or 0), self.chosen)
        return images.sized(self.wanted) if isinstance(images, LazyImages) else images

    def select(self, chosen: Indices) -> "Recorded":
        """Some of the images, by their indices in the data set."""
        return replace(self, chosen=self.chosen[chosen])

    def sized(self, wanted: InputSize | None) -> "Recorded":
        """With images that are resized for a model, where they are decoded."""
        return replace(self, wanted=wanted)

    def all(self) -> Iterator[tuple[str, Images | LazyImages]]:
        """(what they are, images) of all that are there, in a fixed order."""
        for name, severity in sorted(self.there):
            images = self.of(name, severity)
            if images is not None:
                yield f"{name} {severity}", images
