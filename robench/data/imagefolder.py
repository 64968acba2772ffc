"""A folder of image files, one subfolder a class."""

from pathlib import Path

import numpy as np

from robench.core.errors import RobenchError
from robench.data import register
from robench.data.base import Dataset

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff"}


@register("imagefolder")
def imagefolder(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: imagefolder:PATH, one subfolder a class (labels in sorted order), all images of one size.

    PATH may hold such folders for each split instead: train, and test or val.
    """
    from PIL import Image, UnidentifiedImageError

    folder = Path(argument).expanduser()
    if not argument or not folder.is_dir():
        raise RobenchError(f"there is no folder {str(folder)!r}; use --dataset imagefolder:PATH.")
    name = folder.name
    folder = _split(folder, split)
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    files = [(label, path) for label, name in enumerate(classes) for path in sorted((folder / name).rglob("*"))]
    files = [(label, path) for label, path in files if path.suffix.lower() in SUFFIXES]
    if not files:
        raise RobenchError(f"{folder} has no images in subfolders; it needs one subfolder a class.")
    # Classes take turns, so that the first n images hold all of them.
    turns: dict[int, int] = {}
    order = []
    for label, path in files:
        turns[label] = turns.get(label, 0) + 1
        order.append((turns[label], label, path))
    order.sort(key=lambda entry: entry[:2])
    images = []
    for _, _, path in order:
        try:
            images.append(np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1))
        except (UnidentifiedImageError, OSError) as error:
            raise RobenchError(f"the image {path} cannot be read ({error}); remove or replace it.") from error
    if len({image.shape for image in images}) > 1:
        sizes = sorted({f"{image.shape[2]}x{image.shape[1]}" for image in images})
        raise RobenchError(f"the images in {folder} have several sizes ({', '.join(sizes[:4])}); resize them to one.")
    labels = np.array([label for _, label, _ in order], np.int64)
    return Dataset(f"imagefolder:{name}", name, np.stack(images), labels, classes)


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
