"""What several corruptions are made of: blurs, zooms and motion, of images [N, C, H, W] in [0, 1]."""

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from robench.corruptions.draws import Floats


def blurred(images: Floats, sigma: float, mode: str = "nearest", truncate: float = 4.0) -> Floats:
    """Gaussian blur of the last two axes, as scikit-image's ``gaussian`` is."""
    axes = (0.0,) * (images.ndim - 2)
    result: Floats = gaussian_filter(images, (*axes, sigma, sigma), mode=mode, truncate=truncate)
    return result


def magnified(images: Floats, factor: float) -> Floats:
    """The middle of images [..., H, W], linearly magnified to their size."""
    height, width = images.shape[-2:]
    kept = [math.ceil(side / factor) for side in (height, width)]
    top, left = ((side - part) // 2 for side, part in zip((height, width), kept, strict=True))
    result = images[..., top : top + kept[0], left : left + kept[1]]
    for axis in (-2, -1):
        result = _stretched(result, axis, factor)
    top, left = ((large - side) // 2 for large, side in zip(result.shape[-2:], (height, width), strict=True))
    return result[..., top : top + height, left : left + width]


def _stretched(images: Floats, axis: int, factor: float) -> Floats:
    """One axis, from pixel to pixel: the first and the last stay (as scipy's ``zoom`` of order 1, only faster)."""
    before = images.shape[axis]
    after = round(before * factor)
    place = np.arange(after) * ((before - 1) / max(after - 1, 1))
    first = np.minimum(place.astype(int), max(before - 2, 0))
    share = (place - first).astype(np.float32)
    share = share[:, None] if axis == -2 else share
    low, high = (images.take(index, axis) for index in (first, np.minimum(first + 1, before - 1)))
    return low + share * (high - low)


def moved(image: Floats, radius: float, sigma: float, angle: float) -> Floats:
    """Motion blur of one image [..., H, W] along an angle in degrees, as ImageMagick's: one half of a gaussian.

    Each of 2 radius + 1 copies is the image shifted by whole pixels; beyond the border its edge goes on.
    """
    count = 2 * math.ceil(radius) + 1
    weights = np.exp(-np.square(np.arange(count)) / (2 * sigma**2))
    weights /= weights.sum()
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    rows, columns = (np.arange(side) for side in image.shape[-2:])
    result = np.zeros_like(image)
    for step, weight in enumerate(weights.astype(np.float32)):
        down, right = math.ceil(step * sine - 0.5), math.ceil(step * cosine - 0.5)
        y, x = (rows + down).clip(0, rows[-1]), (columns + right).clip(0, columns[-1])
        result += weight * image[..., y[:, None], x]
    return result


def grey(images: Floats) -> Floats:
    """Brightness [N, 1, H, W] of images with three channels or one (ITU-R BT.601)."""
    if images.shape[1] == 1:
        return images
    weights = np.array([0.299, 0.587, 0.114], np.float32).reshape(1, 3, 1, 1)
    result: Floats = (images * weights).sum(1, keepdims=True)
    return result


def as_bytes(images: Floats) -> npt.NDArray[np.uint8]:
    """[0, 1] -> whole levels of 255, truncated."""
    return (images.clip(0, 1) * 255 + 1e-3).astype(np.uint8)
