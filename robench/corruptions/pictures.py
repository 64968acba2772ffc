"""Corruptions that Pillow makes: an image [C, H, W] in [0, 1] as a picture, and back."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from robench.corruptions.draws import Floats
from robench.corruptions.filters import as_bytes


def each_picture(images: Floats, change: Callable[[Image.Image], Image.Image]) -> Floats:
    """What ``change`` makes of each image [N, C, H, W], of one channel or three."""
    pixels = as_bytes(images).transpose(0, 2, 3, 1)
    changed = [np.asarray(change(Image.fromarray(one.squeeze(-1) if one.shape[-1] == 1 else one))) for one in pixels]
    stacked = np.stack(changed).reshape(pixels.shape).transpose(0, 3, 1, 2)
    return stacked.astype(np.float32) / np.float32(255)
