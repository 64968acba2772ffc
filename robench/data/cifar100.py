"""CIFAR-100 (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images): 32x32 RGB, 100 classes."""

from functools import partial
from pathlib import Path

from robench.data import register
from robench.data._batch import Batches, find_batches
from robench.data.base import Dataset, check_no_argument
from robench.data.official import download, find_or_fetch

# fmt: off
CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl",
    "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee",
    "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant",
    "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower",
    "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate",
    "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark",
    "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower",
    "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor", "train", "trout", "tulip",
    "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)
# fmt: on
"""The fine classes."""
URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
BATCHES = {
    "train": {"train": "16019d7e3df5f24257cddd939b257f8d"},
    "test": {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
}
FILES = {"train": ("cifar100_train.npz",), "test": ("cifar100_test.npz",)}


@register("cifar100")
def cifar100(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """32x32 RGB photographs, 100 fine classes; found in --data-dir, $ROBENCH_DATA or the cache, else downloaded."""
    check_no_argument("cifar100", argument)
    batches = Batches(
        "cifar100", "CIFAR-100", "cifar-100-python", BATCHES[split], FILES[split], b"fine_labels", CLASSES
    )
    look = partial(find_batches, batches)
    return find_or_fetch(f"CIFAR-100 {split} set", look, _fetch, data_dir, f"cifar-100-python/ or {FILES[split][0]}")


def _fetch(folder: Path) -> None:
    download(URL, MD5, folder, "CIFAR-100", unpack=True)
