"""Multiplicative gaussian noise (coherent imaging)."""

from robench.corruptions import Draws, Floats, register


@register("speckle", amounts=(0.06, 0.10, 0.12, 0.16, 0.20), imagenet=(0.15, 0.2, 0.35, 0.45, 0.6))
def speckle(images: Floats, amount: float, draws: Draws) -> Floats:
    """X + x N(0, amount^2), independent for each pixel and channel."""
    return images + images * (amount * draws.normal(images.shape))
