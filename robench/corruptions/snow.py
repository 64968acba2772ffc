"""Snow: white noise, magnified and blown."""

import numpy as np

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import as_bytes, grey, magnified, moved

ANGLES = (-135.0, -45.0)
Settings = tuple[float, float, float, float, float, float, float]


@register(
    "snow",
    amounts=(
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    imagenet=(
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
)
def snow(images: Floats, settings: Settings, draws: Draws) -> Floats:
    """Flakes fall, and the scene is whitened.

    The settings: mean and deviation of the noise, how far it is magnified, below what there is no flake, radius and
    sigma of the motion, and the share of the scene that keeps its colours.
    """
    mean, deviation, factor, threshold, radius, sigma, kept = settings
    count, _, height, width = images.shape
    layer = magnified(mean + deviation * draws.normal((count, height, width)), factor)
    flecks = as_bytes(np.where(layer < threshold, np.float32(0), layer)).astype(np.float32) / np.float32(255)
    low, high = ANGLES
    angles = low + (high - low) * draws.uniform((count,))
    flakes = np.stack([moved(one, radius, sigma, float(angle)) for one, angle in zip(flecks, angles, strict=True)])
    flakes = as_bytes(flakes).astype(np.float32) / np.float32(255)
    white = np.maximum(images, 1.5 * grey(images) + 0.5)
    around = np.rot90(flakes, 2, axes=(1, 2))
    return kept * images + (1 - kept) * white + (flakes + around)[:, None]
