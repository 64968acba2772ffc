"""Elastic deformation (Simard, Steinkraus and Platt 2003), after a random affine one."""

import numpy as np
from scipy.ndimage import map_coordinates

from robench.corruptions import Draws, Floats, register
from robench.corruptions.filters import blurred

CIFAR, IMAGENET = 32, 244
"""Pixels of which the settings are shares; 244 is what ImageNet-C has, for images of 224."""


def _shares(side: int, *settings: tuple[float, float, float]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(side * share for share in one) for one in settings)


@register(
    "elastic",
    amounts=_shares(CIFAR, (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    imagenet=_shares(
        IMAGENET, (2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)
    ),
)
def elastic(images: Floats, settings: tuple[float, float, float], draws: Draws) -> Floats:
    """Three points move, and then each pixel does (by how much, how smoothly, and how far the points; in pixels)."""
    amount, sigma, affine = settings
    count, _, height, width = images.shape
    corners = draws.uniform((count, 3, 2)) * 2 - 1
    moves = blurred(draws.uniform((count, 2, height, width)) * 2 - 1, sigma, "reflect", 3) * np.float32(amount)
    place = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).astype(np.float32)
    found = []
    for image, corner, move in zip(images, corners, moves, strict=True):
        turned = _sampled(image, _affine(place, affine * corner), "mirror")
        found.append(_sampled(turned, place + move, "reflect"))
    return np.stack(found)


def _affine(place: Floats, moves: Floats) -> Floats:
    """Where each pixel [2, H, W] comes from, if three points around the middle move by (rows, columns) [3, 2]."""
    height, width = place.shape[1:]
    middle, far = np.array([height // 2, width // 2]), min(height, width) // 3
    before = middle + far * np.array([[1, 1], [-1, 1], [-1, -1]])
    after = np.concatenate([before + moves, np.ones((3, 1))], 1)
    back = np.linalg.solve(after, before.astype(float))
    rows, columns = place
    return np.stack([rows * a + columns * b + c for a, b, c in back.T]).astype(np.float32)


def _sampled(image: Floats, place: Floats, mode: str) -> Floats:
    """An image [C, H, W] at places [2, H, W], linearly between pixels."""
    return np.stack([map_coordinates(channel, place, order=1, mode=mode) for channel in image])
