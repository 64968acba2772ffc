"""Additive gaussian noise (sensor noise in low light)."""

from robench.corruptions import Draws, Floats, register


@register("gaussian", amounts=(0.04, 0.06, 0.08, 0.09, 0.10), imagenet=(0.08, 0.12, 0.18, 0.26, 0.38))
def gaussian(images: Floats, amount: float, draws: Draws) -> Floats:
    """X + N(0, amount^2), independent for each pixel and channel."""
    return images + amount * draws.normal(images.shape)
