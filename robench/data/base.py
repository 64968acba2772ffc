"""What a data set is: 8-bit images, labels, class names, and a fingerprint of exactly these pixels."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.seeding import stream
from robench.core.types import Images, Indices, Labels
from robench.data.lazy import LazyImages
from robench.data.recorded import Recorded
from robench.data.resizing import InputSize

SMALLEST = 4
"""Pixels along a side; no picture of anything is smaller."""
BLOCK = 512
"""Images that are read at once where all of them pass by."""


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
        images: uint8 [N, C, H, W]: an array, or images that are decoded block by block (``LazyImages``). Both are
            indexed by slices and by arrays of indices; ``images[:]`` is all of them, in memory.
        labels: int64 [N], in [0, len(classes)).
        classes: names in label order.
        notes: what was done to images and labels that came in another form, a phrase each, such as "labels start at 1:
            shifted to start at 0".
        recorded: corrupted versions that others made, which then stand for robench's own; None for none.
    """

    name: str
    source: str
    images: Images | LazyImages
    labels: Labels
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    recorded: Recorded | None = None

    def __post_init__(self) -> None:
        # The size of images that are decoded is known when the first of them is asked for.
        problem = _problem(self.images) if isinstance(self.images, np.ndarray) else ""
        problem = problem or _label_problem(len(self.images), self.labels, len(self.classes))
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
        return self.select(np.arange(n))

    def select(self, chosen: Indices) -> "Dataset":
        """Some of the images, by their indices [n]."""
        images, labels = self.images, self.labels[chosen]
        recorded = self.recorded.select(chosen) if self.recorded else None
        if isinstance(images, LazyImages):
            return replace(self, images=images.select(chosen), labels=labels, recorded=recorded)
        whole = np.array_equal(chosen, np.arange(len(chosen)))
        # The first images are a view: no data set is held twice.
        few = images[: len(chosen)] if whole else images[chosen]
        return replace(self, images=few, labels=labels, recorded=recorded)

    def split(self, n: int) -> tuple["Dataset", "Dataset | None"]:
        """(the others, ``n`` images chosen at random, always the same ones); (all, None) for n = 0."""
        if not n:
            return self, None
        if not 0 < n < len(self):
            raise RobenchError(f"{self.name} ({self.source}) has {len(self)} images; {n} of them cannot be held out.")
        order = stream(0, "hold out").permutation(len(self))
        rest, held_out = (self.select(np.sort(part)) for part in (order[n:], order[:n]))
        return rest, held_out

    def sized(self, wanted: InputSize | None) -> "Dataset":
        """With images that are resized for a model, where they are decoded; arrays stay as they are."""
        images = self.images
        if not isinstance(images, LazyImages):
            return self
        recorded = self.recorded.sized(wanted) if self.recorded else None
        return replace(self, images=images.sized(wanted), recorded=recorded)

    def like(self, other: "Dataset") -> "Dataset":
        """With images that are resized as those of ``other`` are, where both are decoded."""
        first, second = self.images, other.images
        if not (isinstance(first, LazyImages) and isinstance(second, LazyImages)):
            return self
        return replace(self, images=first.like(second))

    def in_memory(self) -> "Dataset":
        """With all images decoded."""
        return replace(self, images=self.images[:], notes=self.preparation)

    @property
    def preparation(self) -> tuple[str, ...]:
        """How pixels and labels came out of what was given: the notes, and the rule by which images are resized."""
        return (*self.notes, self.images.rule) if isinstance(self.images, LazyImages) else self.notes

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over shape, pixels and labels: two cards are comparable exactly when theirs agree.

        Pixels are those that models see, recorded ones among them, and so say how images were resized, cropped and
        converted.

        Raises:
            RobenchError: images cannot be decoded; the sentence lists all of them.
        """
        digest = hashlib.sha256(repr(self.images.shape).encode())
        for block in blocks(self.images):
            digest.update(np.ascontiguousarray(block).tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        for what, images in self.recorded.all() if self.recorded else ():
            digest.update(what.encode())
            for block in blocks(images):
                digest.update(np.ascontiguousarray(block).tobytes())
        return digest.hexdigest()


def blocks(images: Images | LazyImages) -> Iterator[Images]:
    """All images, block by block in order."""
    if isinstance(images, LazyImages):
        yield from images.blocks()
    else:
        yield from (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))


def check_no_argument(name: str, argument: str) -> None:
    """Raise RobenchError where something follows the name of a data set that has one form alone."""
    if argument:
        raise RobenchError(f"the data set {name} takes nothing after its name; leave out :{short(argument, 60)}.")


def _problem(images: Images) -> str:
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != np.uint8:
        return f"images must be 8-bit [N, C, H, W] with 1 or 3 channels, got {images.dtype} {list(images.shape)}"
    if min(images.shape[2:]) < SMALLEST:
        return f"its images are of {images.shape[3]}x{images.shape[2]} pixels, and need {SMALLEST} along each side"
    return ""


def _label_problem(images: int, labels: Labels, classes: int) -> str:
    if labels.shape != (images,) or not len(labels):
        return f"there are {images} images and labels of shape {list(labels.shape)}"
    if labels.min() < 0 or labels.max() >= classes:
        return f"labels run from {labels.min()} to {labels.max()}, outside the {classes} classes"
    return ""
