"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 28x28 grey, 10 classes."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robench.core.errors import RobenchError
from robench.core.files import exists
from robench.data import register
from robench.data.arrays import from_arrays, read_arrays
from robench.data.base import Dataset, check_no_argument
from robench.data.official import download, find_or_fetch, read_official

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
UNSIGNED_BYTES = 0x0800
"""The magic number of an IDX file of bytes, but for its number of dimensions."""
LARGEST = 60_000 * 28 * 28 + 16
"""Bytes of the training images with their header."""


@dataclass(frozen=True)
class Edition:
    """What tells the two data sets apart, whose files have the same names.

    Attributes:
        name: as the user types it.
        title: in messages.
        folders: where the files may be, below a folder with data.
        url: of the folder with the files.
        md5: of the compressed files.
        start: the first ten labels of each split.
        classes: names in label order.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    url: str
    md5: dict[str, str]
    start: dict[str, tuple[int, ...]]
    classes: tuple[str, ...]


MNIST = Edition(
    "mnist",
    "MNIST",
    ("MNIST/raw", "mnist", "."),
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    {"train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)},
    tuple("0123456789"),
)
FASHION = Edition(
    "fashion_mnist",
    "Fashion-MNIST",
    ("FashionMNIST/raw", "fashion_mnist", "fashion-mnist", "."),
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    {"train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)},
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
OTHER = {MNIST.name: FASHION, FASHION.name: MNIST}


@register("mnist")
def mnist(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """28x28 grey handwritten digits; found in --data-dir, $ROBENCH_DATA or the cache, else downloaded."""
    return _edition(MNIST, split, argument, data_dir)


@register("fashion_mnist")
def fashion_mnist(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """28x28 grey pictures of clothes; found in --data-dir, $ROBENCH_DATA or the cache, else downloaded."""
    return _edition(FASHION, split, argument, data_dir)


def _edition(edition: Edition, split: str, argument: str, data_dir: Path | None) -> Dataset:
    check_no_argument(edition.name, argument)
    look, fetch = partial(_find, edition, split), partial(_fetch, edition, split)
    forms = f"{edition.folders[0]}/{FILES[split][0]}, also with .gz, or {edition.name}.npz"
    return find_or_fetch(f"{edition.title} {split} set", look, fetch, data_dir, forms)


def _find(edition: Edition, split: str, folder: Path) -> Dataset | None:
    for place in edition.folders:
        images, labels = (_file(folder / place / name) for name in FILES[split])
        if images is not None and labels is not None:
            return _read(edition, split, images, labels)
    path = folder / f"{edition.name}.npz"
    return read_arrays(path, split, edition.name, edition.classes) if exists(path) else None


def _file(path: Path) -> Path | None:
    """The file as it is, or compressed; None where it is not there."""
    return next((found for found in (path, path.with_name(f"{path.name}.gz")) if exists(found)), None)


def _read(edition: Edition, split: str, images: Path, labels: Path) -> Dataset:
    values = _idx(edition, labels, 1)
    if tuple(values[:10].tolist()) == OTHER[edition.name].start[split]:
        raise RobenchError(f"the files in {labels.parent} are of {OTHER[edition.name].title}; name the other folder.")
    pixels = _idx(edition, images, 3)
    return from_arrays(pixels, values, edition.name, images.name, classes=edition.classes)


def _idx(edition: Edition, path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """The array of an IDX file: magic number, sizes, bytes."""
    content, official = read_official(
        path, edition.md5[path.name.removesuffix(".gz")], LARGEST, f"{edition.title} file"
    )
    if path.suffix == ".gz" and not official:
        raise RobenchError(
            f"{path} is not the official file of {edition.title} (its md5 is another); download it again."
        )
    try:
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
        array = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (ValueError, struct.error, OSError, EOFError, zlib.error) as error:
        raise RobenchError(f"{path} is not an official {edition.title} file ({error}); download it again.") from error
    if magic != UNSIGNED_BYTES + dimensions:
        raise RobenchError(f"{path} is not an official {edition.title} file, but of another kind; download it again.")
    return array


def _fetch(edition: Edition, split: str, folder: Path) -> None:
    for name in FILES[split]:
        download(f"{edition.url}{name}.gz", edition.md5[name], folder / edition.name, edition.title)
