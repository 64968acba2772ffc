"""Multiplicative gaussian noise (coherent imaging)."""

import numpy as np

from robench.corruptions import Image, register


@register("speckle", amounts=(0.06, 0.10, 0.12, 0.16, 0.20))
def speckle(image: Image, amount: float, rng: np.random.Generator) -> Image:
    """X + x N(0, amount^2), independent for each pixel and channel."""
    return image + image * (amount * rng.standard_normal(image.shape))
