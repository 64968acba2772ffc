"""Zoom blur: the camera moves towards the scene."""

import numpy as np

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import magnified


@register(
    "zoom_blur",
    amounts=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    imagenet=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
)
def zoom_blur(images: Floats, settings: tuple[float, float], draws: Draws) -> Floats:
    """The mean of the image and of its magnifications from 1 up to a factor, by steps (below, step)."""
    factors = np.arange(1, *settings)
    total = images.copy()
    for factor in factors:
        total += magnified(images, float(factor))
    return total / np.float32(len(factors) + 1)
