"""Motion blur: the camera moves."""

import numpy as np

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import moved

WIDEST = 45.0


@register(
    "motion_blur",
    amounts=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    imagenet=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
)
def motion_blur(images: Floats, settings: tuple[float, float], draws: Draws) -> Floats:
    """Along a random angle of at most 45 degrees (radius, sigma)."""
    angles = (2 * draws.uniform((len(images),)) - 1) * WIDEST
    return np.stack([moved(image, *settings, float(angle)) for image, angle in zip(images, angles, strict=True)])
