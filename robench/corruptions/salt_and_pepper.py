"""Impulse noise: dead and saturated pixels."""

import numpy as np

from robench.corruptions import Image, register


@register("salt_and_pepper", amounts=(0.01, 0.02, 0.03, 0.05, 0.07))
def salt_and_pepper(image: Image, amount: float, rng: np.random.Generator) -> Image:
    """A share ``amount`` of the channel elements becomes 1 or 0, with equal chance."""
    hit = rng.random(image.shape) <= amount
    salt = rng.random(image.shape) <= 0.5
    return np.where(hit, salt.astype(image.dtype), image)
