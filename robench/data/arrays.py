"""Images from .npz files, in the shapes and ranges that people store them in."""

from pathlib import Path

import numpy as np

from robench.core.arrays import read_npz
from robench.core.errors import RobenchError
from robench.core.files import expanded
from robench.core.types import MOST_CLASSES, Images, Labels
from robench.data import register
from robench.data.base import Dataset

DARK = 0.02
"""Float images that are darker throughout have been divided by 255 twice: this is 5 of 255 levels."""


def to_uint8(images: np.ndarray) -> Images:
    """uint8, or floats in [0, 1] rounded to 8 bits.

    Raises:
        RobenchError: values outside [0, 1], or not finite.
    """
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise RobenchError(f"images of type {images.dtype} are not understood; store uint8, or floats in [0, 1].")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
        raise RobenchError(
            f"float images must lie in [0, 1], these run from {images.min():g} to {images.max():g}; "
            "store pixels before normalisation, as uint8 or divided by 255."
        )
    if images.max() < DARK:
        raise RobenchError(f"float images must lie in [0, 1], and none of these passes {images.max():g}: too dark.")
    return np.rint(images * 255).astype(np.uint8)


def channels_first(images: np.ndarray) -> np.ndarray:
    """[N, H, W, C], [N, C, H, W] or [N, H, W] -> [N, C, H, W]."""
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return images


def read_images(path: Path) -> tuple[Images, Labels]:
    """The arrays ``x`` and ``y`` of an .npz file, as uint8 [N, C, H, W] and int64 [N]; never unpickles.

    Raises:
        RobenchError: no such file, not an .npz, arrays missing or out of range.
    """
    arrays = read_npz(path, ("x", "y"), "data set")
    x, y = arrays["x"], arrays["y"]
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise RobenchError(f"the labels y in {path} must be whole numbers [N], not {y.dtype} {list(y.shape)}.")
    if not x.size or x.ndim not in (3, 4):
        raise RobenchError(f"the images x in {path} must be [N, H, W, C] or [N, H, W], not {list(x.shape)}.")
    if y.min() < 0 or y.max() >= MOST_CLASSES:
        raise RobenchError(f"the labels y in {path} run from {y.min()} to {y.max()}; they count from 0.")
    return channels_first(to_uint8(x)), y.astype(np.int64)


@register("npz")
def npz(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: npz:PATH, a NumPy .npz with x [N, H, W, C] (uint8, or floats in [0, 1]) and y [N]."""
    if not argument:
        raise RobenchError("say which file: --dataset npz:PATH.")
    if split != "test":
        raise RobenchError(f"npz:{argument} holds test images alone; training images need imagefolder:PATH.")
    path = expanded(Path(argument))
    images, labels = read_images(path)
    classes = tuple(str(i) for i in range(max(int(labels.max()) + 1, 2)))
    return Dataset(f"npz:{path.name}", path.name, images, labels, classes)
