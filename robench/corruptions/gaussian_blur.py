"""Gaussian blur."""

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import blurred


@register("gaussian_blur", amounts=(0.4, 0.6, 0.7, 0.8, 1), imagenet=(1, 2, 3, 4, 6))
def gaussian_blur(images: Floats, sigma: float, draws: Draws) -> Floats:
    """A gaussian of ``sigma`` pixels."""
    return blurred(images, sigma)
