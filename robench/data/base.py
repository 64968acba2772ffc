"""What a data set is: 8-bit images, labels, class names, and a fingerprint of exactly these pixels."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.seeding import stream
from robench.core.types import Images, Labels

SMALLEST = 4
"""Pixels along a side; no picture of anything is smaller."""


class Source(Protocol):
    """Loads one split of a data set.

    Args:
        split: "test" or "train".
        argument: what follows the colon in ``npz:PATH``; empty for data sets without one.
        data_dir: where the user keeps data, if they said so.
    """

    def __call__(self, split: str, argument: str, data_dir: Path | None) -> "Dataset":
        """Load it, or raise RobenchError with what to do."""
        ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels in a fixed order.

    Attributes:
        name: as the user types it, such as ``"cifar10"``.
        source: which copy of it, such as ``"cifar10_test_exact.npz"``.
        images: uint8 [N, C, H, W].
        labels: int64 [N], in [0, len(classes)).
        classes: names in label order.
    """

    name: str
    source: str
    images: Images
    labels: Labels
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        problem = _problem(self.images, self.labels, len(self.classes))
        if problem:
            raise RobenchError(f"the data set {self.name} ({self.source}) cannot be used: {problem}.")

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, n: int) -> "Dataset":
        """The first ``n`` images; asking for more than there are is an error."""
        if not 1 <= n <= len(self):
            raise RobenchError(
                f"{self.name} ({self.source}) has {len(self)} images; ask for 1 to {len(self)}, not {n}."
            )
        return replace(self, images=self.images[:n], labels=self.labels[:n])

    def split(self, n: int) -> tuple["Dataset", "Dataset | None"]:
        """(the others, ``n`` images chosen at random, always the same ones); (all, None) for n = 0."""
        if not n:
            return self, None
        if not 0 < n < len(self):
            raise RobenchError(f"{self.name} ({self.source}) has {len(self)} images; {n} of them cannot be held out.")
        order = stream(0, "hold out").permutation(len(self))
        parts = (np.sort(part) for part in (order[n:], order[:n]))
        rest, held_out = (replace(self, images=self.images[part], labels=self.labels[part]) for part in parts)
        return rest, held_out

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over shape, pixels and labels: two cards are comparable exactly when theirs agree."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()


def check_no_argument(name: str, argument: str) -> None:
    """Raise RobenchError where something follows the name of a data set that has one form alone."""
    if argument:
        raise RobenchError(f"the data set {name} takes nothing after its name; leave out :{short(argument, 60)}.")


def _problem(images: Images, labels: Labels, classes: int) -> str:
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != np.uint8:
        return f"images must be 8-bit [N, C, H, W] with 1 or 3 channels, got {images.dtype} {list(images.shape)}"
    if min(images.shape[2:]) < SMALLEST:
        return f"its images are of {images.shape[3]}x{images.shape[2]} pixels, and need {SMALLEST} along each side"
    if labels.shape != (len(images),) or not len(labels):
        return f"there are {len(images)} images and labels of shape {list(labels.shape)}"
    if labels.min() < 0 or labels.max() >= classes:
        return f"labels run from {labels.min()} to {labels.max()}, outside the {classes} classes"
    return ""
