"""A folder of image files, one subfolder a class."""

from pathlib import Path

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import exists, expanded, short
from robench.data import register
from robench.data.base import Dataset
from robench.data.labels import order
from robench.data.lazy import LazyImages, Pictures
from robench.data.pictures import opened

TESTED = ("test", "val")
"""Folders of test images, beside ``train`` or alone."""
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"}


@register("imagefolder")
def imagefolder(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: imagefolder:PATH, one subfolder a class (labels in sorted order), resized as the model says.

    PATH may hold such folders for each split instead: train, and test or val, or one of these alone.
    """
    folder = expanded(Path(argument))
    if not argument or not exists(folder, Path.is_dir):
        raise RobenchError(f"there is no folder {short(repr(str(folder)))}; use --dataset imagefolder:PATH.")
    name = folder.name
    folder = _split(folder, split)
    by_class = {path.name: _files(path) for path in _subfolders(folder)}
    classes = tuple(name for name, files in by_class.items() if files)
    if not classes:
        raise RobenchError(f"{folder} has no images in subfolders; it needs one subfolder a class.")
    files = _in_turns([by_class[name] for name in classes])
    paths = [path for _, path in files]
    pictures = Pictures(lambda number: opened(paths[number]), lambda number: str(paths[number]))
    images = LazyImages(pictures, np.arange(len(paths)))
    labels = np.array([label for label, _ in files], np.int64)
    notes = (f"classes are the folders in sorted order: {order(classes)}", *_ignored(folder, by_class))
    return Dataset(f"imagefolder:{name}", name, images, labels, classes, notes)


def paths_of(data: Dataset) -> list[Path]:
    """The files of a data set that ``imagefolder`` gave, in its order."""
    assert isinstance(data.images, LazyImages)
    return [Path(data.images.pictures.name(int(number))) for number in data.images.index]


def _subfolders(folder: Path) -> list[Path]:
    """The subfolders by name, but for hidden ones and for links to the folder itself or one that holds it."""
    own = folder.resolve()
    holders = {own, *own.parents}
    found = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted((path for path in found if path.resolve() not in holders), key=lambda path: path.name)


def _files(folder: Path) -> list[Path]:
    """The images in a folder and below it, but for hidden ones and those in hidden folders."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    shown = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return [path for path in shown if path.is_file()]


def _ignored(folder: Path, by_class: dict[str, list[Path]]) -> list[str]:
    """What was left out, in words."""
    notes = []
    empty = [name for name, files in by_class.items() if not files]
    if empty:
        notes.append(f"folders without images are ignored: {short(', '.join(empty))}")
    hidden = [path.name for path in sorted(folder.iterdir()) if path.name.startswith(".")]
    for name in by_class:
        hidden += [f"{name}/{path.name}" for path in sorted((folder / name).iterdir()) if path.name.startswith(".")]
    if hidden:
        notes.append(f"hidden files and folders are ignored: {short(', '.join(hidden))}")
    return notes


def _in_turns(files: list[list[Path]]) -> list[tuple[int, Path]]:
    """(label, file) in an order in which classes take turns, so that the first n images hold all of them."""
    turns = [(turn, label, path) for label, paths in enumerate(files) for turn, path in enumerate(paths)]
    return [(label, path) for _, label, path in sorted(turns, key=lambda entry: entry[:2])]


def _split(folder: Path, split: str) -> Path:
    """The folder of a split, where subfolders are splits and no classes; else the folder itself, for test images."""
    subfolders = {path.name for path in _subfolders(folder)}
    splits = "train" in subfolders or (bool(subfolders) and subfolders <= set(TESTED))
    if not splits and split != "train":
        return folder
    found = [folder / name for name in (("train",) if split == "train" else TESTED) if name in subfolders]
    if found:
        return found[0]
    if split == "train":
        raise RobenchError(f"{folder} has no training images; put folders train and test (or val) into it.")
    raise RobenchError(f"{folder} has a folder train and neither test nor val; name the one with test images so.")
