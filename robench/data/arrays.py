"""Images and labels in arrays, in the shapes and ranges that people keep them in; .npz and .npy files of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robench.core.arrays import npz_names, read_npy, read_npz
from robench.core.errors import RobenchError
from robench.core.files import exists, expanded, short
from robench.core.types import Images
from robench.data import register
from robench.data.base import Dataset
from robench.data.labels import read_labels

DARK = 0.02
"""Float images that are darker throughout have been divided by 255 twice: this is 5 of 255 levels."""
EXACT = 0.01
"""Levels by which rounding a float to 8 bits may move it before that is worth saying."""
TEST_IMAGES = ("x", "images", "x_test", "test_images", "data", "image", "arr_0")
TEST_LABELS = ("y", "labels", "y_test", "test_labels", "targets", "label", "target", "arr_1")
TRAIN_IMAGES, TRAIN_LABELS = ("x_train", "train_images"), ("y_train", "train_labels")
NAMES = {"test": (TEST_IMAGES, TEST_LABELS), "train": (TRAIN_IMAGES, TRAIN_LABELS)}
"""Of arrays in an .npz file, in upper or lower case; the first that is there is taken."""
CLASSES = ("classes", "class_names", "label_names")


def from_arrays(
    images: npt.NDArray,
    labels: npt.NDArray,
    name: str,
    source: str,
    called: tuple[str, str] = ("the images", "the labels"),
    classes: tuple[str, ...] = (),
) -> Dataset:
    """A data set of arrays.

    Args:
        images: [N, H, W, C], [N, C, H, W] or [N, H, W]: integers from 0 to 255, or floats in [0, 1].
        labels: in one of the forms of ``read_labels``.
        name: of the data set.
        source: which copy of it.
        called: what messages call images and labels.
        classes: their names, in order, where they are known.

    Raises:
        RobenchError: they are of another shape or type, empty, out of range, not finite, or not as many as one another.
    """
    if not images.size or images.ndim not in (3, 4):
        raise RobenchError(f"{called[0]} must be [N, H, W, C], [N, C, H, W] or [N, H, W], not {list(images.shape)}.")
    if not labels.shape or len(labels) != len(images):
        raise RobenchError(
            f"there are {len(images)} images and labels of shape {list(labels.shape)} in {source}; give one label for "
            "each image."
        )
    pixels, notes = to_uint8(images, called[0])
    found = read_labels(labels, called[1], classes)
    return Dataset(name, source, channels_first(pixels), found.labels, found.names, (*notes, *found.notes))


def to_uint8(images: npt.NDArray, called: str = "images") -> tuple[Images, tuple[str, ...]]:
    """uint8 of integers from 0 to 255, or of floats in [0, 1] rounded to 8 bits; a note says so where that moved them.

    Raises:
        RobenchError: values outside that range, or not finite.
    """
    kind = images.dtype.kind
    if images.dtype == np.uint8:
        return images, ()
    if kind not in "iuf":
        raise RobenchError(f"{called} of type {images.dtype} are not understood; store uint8, or floats in [0, 1].")
    if kind == "f" and not np.isfinite(images).all():
        count = int((~np.isfinite(images.reshape(len(images), -1))).any(1).sum())
        raise RobenchError(
            f"{called} must lie in [0, 1], and {count} of {len(images)} hold values that are not finite (NaN or "
            "infinity); mend or leave out those images."
        )
    low, high = float(images.min()), float(images.max())
    most = 1 if kind == "f" else 255
    if low < 0 or high > most:
        what = "float images must lie in [0, 1]" if kind == "f" else "images of integers must lie in 0 to 255"
        raise RobenchError(
            f"{what}, and {called} run from {low:g} to {high:g}; store pixels before normalisation, as uint8 or "
            "divided by 255."
        )
    if high < DARK * most:
        raise RobenchError(f"{called} have no value above {high:g}, of {most} that there may be: too dark.")
    if kind != "f":
        return images.astype(np.uint8), ()
    pixels, moved = np.empty(images.shape, np.uint8), 0.0
    for start in range(0, len(images), 512):  # in parts: floats take four or eight times the memory of pixels
        levels = images[start : start + 512] * 255
        rounded = np.rint(levels)
        moved = max(moved, float(np.abs(levels - rounded).max()))
        pixels[start : start + 512] = rounded
    return pixels, (("float images rounded to 8 bits",) if moved > EXACT else ())


def channels_first(images: npt.NDArray) -> npt.NDArray:
    """[N, H, W, C], [N, C, H, W] or [N, H, W] -> [N, C, H, W]."""
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return images


def read_arrays(path: Path, split: str, name: str, classes: tuple[str, ...] = ()) -> Dataset:
    """The images and labels in an .npz file, under one of the usual ``NAMES``; nothing is unpickled.

    Raises:
        RobenchError: no such file, not an .npz, no such arrays in it, or see ``from_arrays``.
    """
    held = npz_names(path, "data set")
    keys = [_first(held, names) for names in NAMES[split]]
    if None in keys:
        raise RobenchError(_missing(path, split, held))
    own = _first(held, CLASSES)
    arrays = read_npz(path, [key for key in (*keys, own) if key], "data set")
    x, y = (str(key) for key in keys)
    if own and not classes:
        classes = _class_names(arrays[own], path)
    called = (f"the images {x} in {path}", f"the labels {y} in {path}")
    return from_arrays(arrays[x], arrays[y], name, path.name, called, classes)


def _first(held: list[str], names: tuple[str, ...]) -> str | None:
    """The name of an array that is there, by the first of these names that one has."""
    by_name = {name.lower(): name for name in reversed(held)}
    return next((by_name[name] for name in names if name in by_name), None)


def _missing(path: Path, split: str, held: list[str]) -> str:
    found = ", ".join(held[:10]) or "nothing"
    if split == "train":
        return f"{path} holds test images alone ({short(found)}); training images would be x_train and y_train in it."
    pairs = "x and y, images and labels, x_test and y_test, data and targets, or arr_0 and arr_1"
    return f"{path} must hold an array of images and one of labels ({pairs}), and holds {short(found)}."


def _class_names(names: npt.NDArray, path: Path) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind != "U" or not len(names):
        raise RobenchError(f"the names of classes in {path} must be strings [classes], not {names.dtype}.")
    return tuple(str(name) for name in names)


@register("npz")
def npz(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: npz:FILE, NumPy arrays x and y, images and labels, x_test and y_test (and x_train, y_train)."""
    if not argument:
        raise RobenchError("say which file: --dataset npz:PATH.")
    path = expanded(Path(argument))
    return read_arrays(path, split, f"npz:{path.name}")


@register("npy")
def npy(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: npy:IMAGES,LABELS, two NumPy files."""
    if split != "test":
        raise RobenchError(f"npy:{argument} holds test images alone; training images need npz: or imagefolder:.")
    images, labels = _pair(argument)
    called = (f"the images in {images}", f"the labels in {labels}")
    arrays = read_npy(images, "file of images"), read_npy(labels, "file of labels")
    return from_arrays(*arrays, f"npy:{images.name}", images.name, called)


def _pair(argument: str) -> tuple[Path, Path]:
    """The two files that are named; a comma may be part of a name."""
    pairs = list(_pairs(argument))
    if not pairs:
        raise RobenchError("say which two files: --dataset npy:IMAGES.npy,LABELS.npy.")
    return next((pair for pair in pairs if all(map(exists, pair))), pairs[-1])


def _pairs(argument: str) -> Iterator[tuple[Path, Path]]:
    parts = argument.split(",")
    for place in range(1, len(parts)):
        first, second = ",".join(parts[:place]), ",".join(parts[place:])
        if first.strip() and second.strip():
            yield expanded(Path(first.strip())), expanded(Path(second.strip()))
