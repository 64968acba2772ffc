"""More brightness."""

import numpy as np

from robench.corruptions import Draws, Floats, register

DARK = 1e-6


@register("brightness", amounts=(0.05, 0.1, 0.15, 0.2, 0.3), imagenet=(0.1, 0.2, 0.3, 0.4, 0.5))
def brightness(images: Floats, amount: float, draws: Draws) -> Floats:
    """The value of a colour (HSV: its largest channel) plus ``amount``; hue and saturation stay. Black becomes grey."""
    value = images.max(1, keepdims=True)
    brighter = np.minimum(value + np.float32(amount), 1)
    return np.where(value > DARK, images * (brighter / np.maximum(value, DARK)), brighter)
