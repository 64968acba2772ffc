"""CIFAR-10-C (Hendrycks and Dietterich 2019, doi:10.5281/zenodo.2535967): CIFAR-10's test images, corrupted."""

from functools import partial
from pathlib import Path

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import exists, expanded, short
from robench.core.types import Images, Indices
from robench.data import register
from robench.data.base import Dataset
from robench.data.cifar10 import cifar10
from robench.data.recorded import FILES, SEVERITIES, Recorded


@register("cifar10c")
def cifar10c(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """CIFAR-10's test images, and under a corruption those of CIFAR-10-C: cifar10c:FOLDER with fog.npy and the others.

    Each file has severity 1 first, then 2 to 5. CIFAR-10 itself is found as usual, and must have as many test images,
    in the same order (labels.npy says which).
    """
    if split != "test":
        return cifar10(split, "", data_dir)
    folder = expanded(Path(argument))
    if not argument or not exists(folder, Path.is_dir):
        raise RobenchError(f"there is no folder {short(repr(str(folder)))}; use --dataset cifar10c:FOLDER.")
    there = {name: folder / f"{file}.npy" for name, file in FILES.items() if (folder / f"{file}.npy").is_file()}
    if not there or not (folder / "labels.npy").is_file():
        raise RobenchError(f"{folder} holds no CIFAR-10-C: it has files such as fog.npy, and labels.npy.")
    clean = cifar10("test", "", data_dir)
    _check_order(clean, _array(folder / "labels.npy"), folder)
    read = partial(_read, there, len(clean))
    for name in there:
        read(name, SEVERITIES[-1], np.zeros(1, int))  # a damaged file is told of at once
    pairs = frozenset((name, severity) for name in there for severity in SEVERITIES)
    note = "corrupted images are those of CIFAR-10-C, in the order of its files"
    return Dataset(
        "cifar10c", f"{folder.name} and {clean.source}", clean.images, clean.labels, clean.classes,
        (*clean.notes, note), Recorded(read, pairs, np.arange(len(clean))),
    )  # fmt: skip


def _check_order(clean: Dataset, labels: np.ndarray, folder: Path) -> None:
    """Raise RobenchError where the clean images are not those that were corrupted."""
    count = len(labels) // len(SEVERITIES)
    if count != len(clean) or not np.array_equal(labels[:count], clean.labels):
        raise RobenchError(
            f"{folder} is about {count:,} images and CIFAR-10 here ({clean.source}) has {len(clean):,}, or in another "
            "order; put the official cifar-10-batches-py into --data-dir."
        )


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RobenchError(f"{path} is damaged: {short(str(error))}; get it again.") from error


def _read(files: dict[str, Path], count: int, name: str, severity: int, chosen: Indices) -> Images:
    """uint8 [n, 3, 32, 32] of a file that has all images at severity 1, then at 2, and so on."""
    array = _array(files[name])
    if array.dtype != np.uint8 or array.ndim != 4 or len(array) != len(SEVERITIES) * count or array.shape[3] != 3:
        raise RobenchError(
            f"{files[name]} should hold {len(SEVERITIES) * count:,} 8-bit images in colour, not {array.dtype} "
            f"{list(array.shape)}; get it again."
        )
    rows = array[(severity - 1) * count + chosen]
    return np.ascontiguousarray(rows.transpose(0, 3, 1, 2))
