"""Defocus: a point becomes a disk."""

import numpy as np
from scipy.ndimage import convolve1d, correlate

from robench.corruptions import Draws, Floats, register

SMALLEST = 8
"""Pixels from the middle of a kernel to its edge, unless the disk is larger."""


@register(
    "defocus_blur",
    amounts=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    imagenet=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
)
def defocus_blur(images: Floats, settings: tuple[float, float], draws: Draws) -> Floats:
    """A disk of a radius in pixels, smoothed by a gaussian (radius, sigma)."""
    result: Floats = correlate(images, _disk(*settings)[None, None], mode="mirror")
    return result


def _disk(radius: float, sigma: float) -> Floats:
    half, window = (SMALLEST, 1) if radius <= SMALLEST else (int(radius), 2)
    place = np.arange(-half, half + 1)
    disk = (np.square(place)[:, None] + np.square(place) <= radius**2).astype(np.float64)
    disk /= disk.sum()
    weights = np.exp(-np.square(np.arange(-window, window + 1)) / (2 * sigma**2))
    weights /= weights.sum()
    for axis in (0, 1):
        disk = convolve1d(disk, weights, axis, mode="mirror")
    return disk.astype(np.float32)
