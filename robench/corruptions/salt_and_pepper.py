"""Impulse noise: dead and saturated pixels."""

import numpy as np

from robench.corruptions import Draws, Floats, register


@register("salt_and_pepper", amounts=(0.01, 0.02, 0.03, 0.05, 0.07), imagenet=(0.03, 0.06, 0.09, 0.17, 0.27))
def salt_and_pepper(images: Floats, amount: float, draws: Draws) -> Floats:
    """A share ``amount`` of the channel elements becomes 1 or 0, with equal chance."""
    hit = draws.uniform(images.shape) <= amount
    salt = draws.uniform(images.shape) <= 0.5
    return np.where(hit, salt.astype(images.dtype), images)
