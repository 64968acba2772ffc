"""Poisson (shot) noise: the counting statistics of light."""

import numpy as np

from robench.corruptions import Image, register


@register("poisson", amounts=(500, 250, 100, 75, 50))
def poisson(image: Image, amount: float, rng: np.random.Generator) -> Image:
    """Poisson(x amount) / amount, with ``amount`` photons at full brightness: fewer photons, more noise."""
    return rng.poisson(image * amount) / amount
