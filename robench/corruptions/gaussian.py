"""Additive gaussian noise (sensor noise in low light)."""

import numpy as np

from robench.corruptions import Image, register


@register("gaussian", amounts=(0.04, 0.06, 0.08, 0.09, 0.10))
def gaussian(image: Image, amount: float, rng: np.random.Generator) -> Image:
    """X + N(0, amount^2), independent for each pixel and channel."""
    return image + amount * rng.standard_normal(image.shape)
