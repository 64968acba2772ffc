"""CIFAR-10 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images): 32x32 RGB, 10 classes."""

from functools import partial
from pathlib import Path

from robench.data import register
from robench.data._batch import Batches, find_batches
from robench.data.base import Dataset, check_no_argument
from robench.data.official import download, find_or_fetch

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
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
# Best first: the official pixels, then exact ones, then the nearest to them.
FILES = {
    "train": ("cifar10_train_restored.npz", "cifar10_train.npz"),
    "test": ("cifar10_test_exact.npz", "cifar10_test.npz"),
}


@register("cifar10")
def cifar10(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """32x32 RGB photographs, 10 classes; found in --data-dir, $ROBENCH_DATA or the cache, else downloaded."""
    check_no_argument("cifar10", argument)
    batches = Batches("cifar10", "CIFAR-10", "cifar-10-batches-py", BATCHES[split], FILES[split], b"labels", CLASSES)
    look = partial(find_batches, batches)
    forms = f"cifar-10-batches-py/ or {FILES[split][0]}"
    return find_or_fetch(f"CIFAR-10 {split} set", look, _fetch, data_dir, forms)


def _fetch(folder: Path) -> None:
    download(URL, MD5, folder, "CIFAR-10", unpack=True)
