"""Frosted glass: pixels take the place of others nearby."""

import numpy as np

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import as_bytes, blurred


@register(
    "glass_blur",
    amounts=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    imagenet=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
)
def glass_blur(images: Floats, settings: tuple[float, int, int], draws: Draws) -> Floats:
    """Blur, let each pixel become one that is at most so far away, so many times over, and blur (sigma, far, times)."""
    sigma, far, times = settings
    pixels = as_bytes(blurred(images, sigma))
    count, _, height, width = pixels.shape
    rows, columns = range(height - far, far, -1), range(width - far, far, -1)
    for _ in range(times):
        moves = np.floor(draws.uniform((len(rows), len(columns), 2, count)) * 2 * far).astype(int) - far
        for row, moves_of_row in zip(rows, moves, strict=True):
            for column, (right, down) in zip(columns, moves_of_row, strict=True):
                _move(pixels, row, column, row + down, column + right)
    return blurred(pixels.astype(np.float32) / np.float32(255), sigma)


def _move(pixels: np.ndarray, row: int, column: int, rows: np.ndarray, columns: np.ndarray) -> None:
    """In each image, a pixel takes the value of another.

    The paper speaks of a swap; the program that made CIFAR-10-C and ImageNet-C copies one way, since both sides of
    its assignment are the same memory.
    """
    pixels[:, :, row, column] = pixels[np.arange(len(pixels)), :, rows, columns]
