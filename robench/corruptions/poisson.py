"""Poisson (shot) noise: the counting statistics of light."""

import numpy as np

from robench.corruptions import Draws, Floats, register

LEVELS = 255


@register("poisson", amounts=(500, 250, 100, 75, 50), imagenet=(60, 25, 12, 5, 3))
def poisson(images: Floats, amount: float, draws: Draws) -> Floats:
    """Poisson(x amount) / amount, with ``amount`` photons at full brightness: fewer photons, more noise."""
    levels = np.rint(images * LEVELS).astype(np.intp)
    return draws.poisson(np.arange(LEVELS + 1) * amount / LEVELS, levels) / np.float32(amount)
