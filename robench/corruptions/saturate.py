"""Paler or stronger colours."""

import numpy as np

from robench.corruptions import Draws, Floats, register

GREY = 1e-6
RED = np.array([0, 1, 1], np.float32).reshape(1, 3, 1, 1)
"""How far each channel of the hue 0, which grey has, lies below the value."""


@register(
    "saturate",
    amounts=((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    imagenet=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
)
def saturate(images: Floats, settings: tuple[float, float], draws: Draws) -> Floats:
    """The saturation of a colour (HSV) times one setting plus the other; hue and value stay.

    Grey turns red where something is added; an image of one channel stays as it is.
    """
    if images.shape[1] == 1:
        return images
    factor, added = (np.float32(setting) for setting in settings)
    value = images.max(1, keepdims=True)
    below = value - images
    saturation = below.max(1, keepdims=True) / np.maximum(value, GREY)
    wanted = np.clip(saturation * factor + added, 0, 1)
    coloured = below * (wanted / np.maximum(saturation, GREY))
    return value - np.where(saturation > GREY, coloured, value * wanted * RED)
