"""Spatter: drops of water, or mud, on the lens."""

import numpy as np
from scipy.ndimage import correlate, distance_transform_edt, label, sobel, uniform_filter

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import as_bytes, blurred, grey

WATER, MUD = (175, 238, 238), (63, 42, 20)
"""Colours: pale turquoise, and brown."""
WEAK, STRONG = 50, 150
"""Thresholds of the edges of drops (Canny 1986), of 8-bit pixels."""
FARTHEST = 20.0
LIGHT = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
THICK = 0.8
"""Share of mud below which none is seen."""
Settings = tuple[float, float, float, float, float, int]


@register(
    "spatter",
    amounts=(
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ),
    imagenet=(
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 1.5, 1),
    ),
)
def spatter(images: Floats, settings: Settings, draws: Draws) -> Floats:
    """Where smoothed noise is above a threshold there is water, or mud.

    The settings: mean, deviation and smoothness of the noise, the threshold, the strength of water or the smoothness
    of mud, and whether it is mud.
    """
    mean, deviation, sigma, threshold, last, muddy = settings
    count, channels, height, width = images.shape
    liquid = blurred(mean + deviation * draws.normal((count, height, width)), sigma)
    if muddy:
        cover = blurred((liquid > threshold).astype(np.float32), last)[:, None]
        return images + cover * (cover >= THICK) * (_colour(MUD, channels) - images)
    levels = as_bytes(np.where(liquid < threshold, np.float32(0), liquid))
    drops = np.stack([_drops(one) for one in levels])[:, None]
    return images + last * drops * _colour(WATER, channels)


def _colour(colour: tuple[int, int, int], channels: int) -> Floats:
    """[1, C, 1, 1]; of a grey image its brightness."""
    levels = np.array(colour, np.float32).reshape(1, 3, 1, 1) / np.float32(255)
    return grey(levels) if channels == 1 else levels


def _drops(liquid: np.ndarray) -> Floats:
    """How much light each pixel [H, W] gets through drops, at most 1: edges are lit from one side."""
    edges = _edges(liquid)
    far = distance_transform_edt(~edges) if edges.any() else np.full(liquid.shape, FARTHEST)
    depth = _equalized(uniform_filter(np.minimum(far, FARTHEST), 3, mode="mirror").astype(np.uint8))
    lit = correlate(depth.astype(np.float32), LIGHT, mode="mirror").clip(0, 255)
    light = liquid * uniform_filter(np.rint(lit), 3, mode="mirror")
    return (light / max(float(light.max()), 1.0)).astype(np.float32)


def _edges(image: np.ndarray) -> np.ndarray:
    """Canny's edges [H, W] of an 8-bit image, without smoothing, by the sum of both gradients' sizes."""
    down, right = (sobel(image.astype(np.float32), axis, mode="nearest") for axis in (0, 1))
    size = np.abs(down) + np.abs(right)
    padded = np.pad(size, 1)
    sector = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    steps = np.array([[0, 1], [1, 1], [1, 0], [1, -1]])[sector]  # the neighbour along the gradient
    rows, columns = np.indices(image.shape) + 1
    ahead = padded[rows + steps[..., 0], columns + steps[..., 1]]
    behind = padded[rows - steps[..., 0], columns - steps[..., 1]]
    thin = (size > ahead) & (size >= behind) & (size > WEAK)
    parts, _ = label(thin, np.ones((3, 3)))
    strong = np.unique(parts[thin & (size > STRONG)])
    result: np.ndarray = np.isin(parts, strong[strong > 0])
    return result


def _equalized(image: np.ndarray) -> np.ndarray:
    """An 8-bit image [H, W] whose levels are equally frequent, as far as may be."""
    total = np.bincount(image.ravel(), minlength=256).cumsum()
    first = total[image.min()]
    if first == image.size:
        return image
    table = np.rint((total - first) / (image.size - first) * 255).clip(0, 255).astype(np.uint8)
    result: np.ndarray = table[image]
    return result
