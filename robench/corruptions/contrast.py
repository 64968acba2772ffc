"""Less contrast."""

from robench.corruptions import Draws, Floats, register


@register("contrast", amounts=(0.75, 0.5, 0.4, 0.3, 0.15), imagenet=(0.4, 0.3, 0.2, 0.1, 0.05))
def contrast(images: Floats, amount: float, draws: Draws) -> Floats:
    """Each channel's differences from its mean, times ``amount``."""
    means = images.mean((2, 3), keepdims=True)
    return (images - means) * amount + means
