"""CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images): 32x32 RGB, 10 classes."""

import hashlib
import os
from pathlib import Path

import numpy as np

from robench.core.errors import NotHereError, RobenchError
from robench.core.files import check_data_file, exists, expanded
from robench.core.types import Images, Labels
from robench.data import register
from robench.data._batch import read_batch
from robench.data.arrays import read_images
from robench.data.base import Dataset, check_no_argument

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CHECKSUM = "md5:c58f30108f718f92721af3b95e74349a"
# The official files and their md5.
BATCHES = {
    "train": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
}
TIMEOUTS = (5, 20)
"""Seconds: for a connection, and that a download may stand still."""
LARGEST_BATCH = 40_000_000
"""Bytes; the official batches have 31 million."""
# Best first: the official pixels, then exact ones, then the nearest to them.
FILES = {
    "train": ("cifar10_train_restored.npz", "cifar10_train.npz"),
    "test": ("cifar10_test_exact.npz", "cifar10_test.npz"),
}


def cache_dir() -> Path:
    """Where downloads are kept."""
    import pooch

    return Path(pooch.os_cache("robench"))


def _find(folder: Path, split: str) -> tuple[str, Images, Labels] | None:
    for batches in (folder, folder / "cifar-10-batches-py"):
        if exists(batches / next(iter(BATCHES[split]))):
            return _read_batches(batches, split)
    for name in FILES[split]:
        if exists(folder / name):
            return name, *read_images(folder / name)
    return None


def _read_batches(folder: Path, split: str) -> tuple[str, Images, Labels]:
    """The official batches, or others of the same form, which are called so."""
    parts, official = [], True
    for name, md5 in BATCHES[split].items():
        path = folder / name
        check_data_file(path, "CIFAR-10 batch")
        if path.stat().st_size > LARGEST_BATCH:
            raise RobenchError(f"{path} is larger than an official CIFAR-10 batch; download it again.")
        content = path.read_bytes()
        official &= hashlib.md5(content, usedforsecurity=False).hexdigest() == md5
        parts.append(read_batch(content, str(path)))
    source = "cifar-10-batches-py" if official else "cifar-10-batches-py (not the official files)"
    return source, np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _download() -> None:
    """Fetch the official archive into the cache, check it, unpack it."""
    import pooch

    try:
        pooch.retrieve(
            URL,
            CHECKSUM,
            path=cache_dir(),
            processor=pooch.Untar(extract_dir="."),
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUTS),
        )
    except (OSError, ValueError) as error:  # ValueError: a page of a proxy's, say, came instead of the archive
        raise NotHereError(
            "CIFAR-10 is not on this machine and could not be downloaded; "
            "give its folder with --data-dir or ROBENCH_DATA, or use --dataset digits."
        ) from error


@register("cifar10")
def cifar10(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """32x32 RGB photographs, 10 classes; found in --data-dir, $ROBENCH_DATA or the cache, else downloaded."""
    check_no_argument("cifar10", argument)
    given = data_dir or (Path(os.environ["ROBENCH_DATA"]) if os.environ.get("ROBENCH_DATA") else None)
    found = None
    for folder in (given, cache_dir()):
        if folder is not None and found is None:
            found = _find(expanded(folder), split)
    if found is None and data_dir is not None:
        raise NotHereError(
            f"there is no CIFAR-10 {split} set in {data_dir}; it may hold cifar-10-batches-py/ or {FILES[split][0]}."
        )
    if found is None:
        _download()
        found = _find(cache_dir(), split)
        assert found is not None
    source, images, labels = found
    return Dataset("cifar10", source, images, labels, CLASSES)
