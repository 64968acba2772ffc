"""CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images): 32x32 RGB, 10 classes."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from robench.core.errors import NotHereError, RobenchError
from robench.core.types import Images, Labels
from robench.data import register
from robench.data.arrays import read_npz
from robench.data.base import Dataset

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CHECKSUM = "md5:c58f30108f718f92721af3b95e74349a"
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
# Best first: the official pixels, then exact ones, then the nearest to them.
FILES = {
    "train": ("cifar10_train_restored.npz", "cifar10_train.npz"),
    "test": ("cifar10_test_exact.npz", "cifar10_test.npz"),
}


def cache_dir() -> Path:
    """Where downloads are kept."""
    import pooch

    return Path(pooch.os_cache("robench"))


class _PlainUnpickler(pickle.Unpickler):
    """Reads the official batches, which are pickles, and refuses all that is not a plain array in them."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"_reconstruct", "_frombuffer", "ndarray", "dtype", "encode"}
        if module.split(".", maxsplit=1)[0] in ("numpy", "_codecs") and name in allowed:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _read_batch(path: Path) -> tuple[Images, Labels]:
    try:
        with path.open("rb") as file:
            batch = _PlainUnpickler(file, encoding="bytes").load()
        return batch[b"data"].reshape(-1, 3, 32, 32), np.asarray(batch[b"labels"], np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise RobenchError(f"{path} is not an official CIFAR-10 batch ({error}); download it again.") from error


def _find(folder: Path, split: str) -> tuple[str, Images, Labels] | None:
    for batches in (folder, folder / "cifar-10-batches-py"):
        if (batches / BATCHES[split][0]).is_file():
            parts = [_read_batch(batches / name) for name in BATCHES[split]]
            return "cifar-10-batches-py", np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    for name in FILES[split]:
        if (folder / name).is_file():
            return name, *read_npz(folder / name)
    return None


def _download() -> None:
    """Fetch the official archive into the cache, check it, unpack it."""
    import pooch

    try:
        pooch.retrieve(
            URL,
            CHECKSUM,
            path=cache_dir(),
            processor=pooch.Untar(extract_dir="."),
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=20),
        )
    except (OSError, ValueError) as error:  # ValueError: a page of a proxy's, say, came instead of the archive
        raise NotHereError(
            "CIFAR-10 is not on this machine and could not be downloaded; "
            "give its folder with --data-dir or ROBENCH_DATA, or use --dataset digits."
        ) from error


@register("cifar10")
def cifar10(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """32x32 RGB photographs, 10 classes; found in --data-dir, $ROBENCH_DATA or the cache, else downloaded."""
    given = data_dir or (Path(os.environ["ROBENCH_DATA"]) if os.environ.get("ROBENCH_DATA") else None)
    found = None
    for folder in (given, cache_dir()):
        if folder is not None and found is None:
            found = _find(folder.expanduser(), split)
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
