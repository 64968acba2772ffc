"""Fog: a cloud by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982)."""

import numpy as np

from robench.corruptions import Draws, Floats, register

ROUGHNESS = 100.0
SMALLEST = 4


@register(
    "fog",
    amounts=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    imagenet=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
)
def fog(images: Floats, settings: tuple[float, float], draws: Draws) -> Floats:
    """The image and so much of a cloud, whose roughness falls by a factor a scale (thickness, decay)."""
    thickness, decay = settings
    height, width = images.shape[2:]
    clouds = plasma(len(images), max(height, width), decay, draws)[:, None, :height, :width]
    brightest = images.max((1, 2, 3), keepdims=True)
    return (images + thickness * clouds) * brightest / (brightest + thickness)


def plasma(count: int, side: int, decay: float, draws: Draws) -> Floats:
    """Clouds [count, M, M] in [0, 1]; M is the power of two that holds ``side``."""
    size = max(1 << (side - 1).bit_length(), SMALLEST)
    cloud = np.zeros((count, size, size), np.float64)
    step, rough = size, ROUGHNESS

    def noisy(total: np.ndarray) -> np.ndarray:
        return total / 4 + rough * rough * (2 * draws.uniform(total.shape) - 1)

    while step >= 2:
        half = step // 2
        corners = cloud[:, ::step, ::step]
        square = corners + np.roll(corners, -1, 1)
        square = square + np.roll(square, -1, 2)
        cloud[:, half::step, half::step] = noisy(square)
        middles, corners = cloud[:, half::step, half::step], cloud[:, ::step, ::step]
        cloud[:, ::step, half::step] = noisy(middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 2))
        cloud[:, half::step, ::step] = noisy(middles + np.roll(middles, 1, 2) + corners + np.roll(corners, -1, 1))
        step, rough = half, rough / decay
    cloud -= cloud.min((1, 2), keepdims=True)
    return (cloud / cloud.max((1, 2), keepdims=True)).astype(np.float32)
