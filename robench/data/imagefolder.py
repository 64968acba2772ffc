"""A folder of image files, one subfolder a class."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import exists, expanded, short
from robench.core.types import Images
from robench.data import register
from robench.data.base import Dataset

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff"}
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's names for images of at most 8 bits a channel; others would be clipped."""
MOST_PIXELS = 4096 * 4096


@register("imagefolder")
def imagefolder(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: imagefolder:PATH, one subfolder a class (labels in sorted order), all images of one size.

    PATH may hold such folders for each split instead: train, and test or val.
    """
    folder = expanded(Path(argument))
    if not argument or not exists(folder, Path.is_dir):
        raise RobenchError(f"there is no folder {short(repr(str(folder)))}; use --dataset imagefolder:PATH.")
    name = folder.name
    folder = _split(folder, split)
    classes = _classes(folder)
    by_class = [_files(folder / name) for name in classes]
    if not any(by_class):
        raise RobenchError(f"{folder} has no images in subfolders; it needs one subfolder a class.")
    if not all(by_class):
        empty = folder / classes[by_class.index([])]
        raise RobenchError(f"the class folder {empty} has no images; remove it, or fill it.")
    files = _in_turns(by_class)
    # Sizes come from the headers of all files before the pixels of any.
    sizes = {path: _size(path) for _, path in files}
    if len(set(sizes.values())) > 1:
        found = sorted({f"{width}x{height}" for width, height in sizes.values()})
        raise RobenchError(f"the images in {folder} have several sizes ({', '.join(found[:4])}); resize them to one.")
    images = np.stack([_pixels(path) for _, path in files])
    labels = np.array([label for label, _ in files], np.int64)
    return Dataset(f"imagefolder:{name}", name, images, labels, classes)


def _classes(folder: Path) -> tuple[str, ...]:
    """The names of the subfolders, but for hidden ones and for links to the folder itself or one that holds it."""
    own = folder.resolve()
    holders = {own, *own.parents}
    return tuple(
        sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".") and path.resolve() not in holders
        )
    )


def _files(folder: Path) -> list[Path]:
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _in_turns(files: list[list[Path]]) -> list[tuple[int, Path]]:
    """(label, file) in an order in which classes take turns, so that the first n images hold all of them."""
    turns = [(turn, label, path) for label, paths in enumerate(files) for turn, path in enumerate(paths)]
    return [(label, path) for _, label, path in sorted(turns, key=lambda entry: entry[:2])]


def _size(path: Path) -> tuple[int, int]:
    """Width and height by the file's header."""
    with _opened(path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise RobenchError(
                f"the image {path} has {image.width}x{image.height} pixels, which is too many; scale it."
            )
        if image.mode not in MODES:
            raise RobenchError(f"the image {path} is of type {image.mode}; save it with 8 bits a channel.")
        return image.size


def _pixels(path: Path) -> Images:
    """uint8 [3, H, W]."""
    with _opened(path) as image:
        try:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        except Exception as error:  # decoders raise many kinds on damaged files
            raise _unreadable(path, error) from error


def _opened(path: Path) -> "Image":
    from PIL import Image

    try:
        return Image.open(path)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RobenchError:
    return RobenchError(f"the image {path} cannot be read ({short(error)}); remove or replace it.")


def _split(folder: Path, split: str) -> Path:
    names = ("train",) if split == "train" else ("test", "val")
    if not (folder / "train").is_dir():
        if split == "train":
            raise RobenchError(f"{folder} has no training images; put folders train and test (or val) into it.")
        return folder
    found = [folder / name for name in names if (folder / name).is_dir()]
    if not found:
        raise RobenchError(f"{folder} has a folder train and neither test nor val; name the one with test images so.")
    return found[0]
