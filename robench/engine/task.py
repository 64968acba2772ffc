"""One measurement to take, and what all kinds of conditions do with one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from robench.core.kinds import Progress
from robench.core.types import CLEAN, Bits, Blocks, Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import is_large
from robench.engine.verdict import judge, to_pixels

CHECKED = 64
"""Images for sanity checks: one block, enough to see what happens to one in twenty."""
PART, LARGE_PART = 2560, 640
"""Images of CIFAR-10's size, and of 224x224 pixels, beyond which a task has several parts: whole batches, and enough
that the sample of a search that is attacked again is a small share."""


@dataclass(frozen=True, eq=False)
class Task:
    """One measurement to take: everything that decides its outcomes, and what does not, its batch size and witness.

    ``calibration`` holds training images, where the condition asks for them; with ``witness``, what shows that images
    fell is kept. ``part`` has the indices of the images that are measured, where not all of them are.
    """

    model: ModelUnderTest
    data: Dataset
    condition: Condition
    draw: int
    seed: int
    batch_size: int
    calibration: Dataset | None = None
    witness: bool = False
    part: range | None = None

    @property
    def images(self) -> range:
        """Indices of the images that are measured."""
        return range(len(self.data)) if self.part is None else self.part

    def parts(self) -> list["Task"]:
        """The task on so many images at most, after each other; what befalls an image depends on no other part."""
        size = LARGE_PART if is_large(self.data) else PART
        return [replace(self, part=self.images[start : start + size]) for start in range(0, len(self.images), size)]


Outcomes = tuple[Bits, Bits]
"""Top-1 and top-5 of a task's images, bool [N]."""


def batches(task: Task, images: Blocks) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """(place of the first image, pixels, labels) of each batch; batches are whole blocks of the model.

    Args:
        task: whose images are wanted.
        images: all those of the data set, perhaps changed.
    """
    model, wanted = task.model.exact, task.images
    size = model.whole_blocks(task.batch_size)
    labels = torch.from_numpy(task.data.labels)
    for place in range(0, len(wanted), size):
        few = wanted[place : place + size]
        part = slice(few.start, few.stop)
        yield place, to_pixels(images[part], model.device), labels[part].to(model.device)


def judge_images(task: Task, images: Blocks, progress: Progress) -> Outcomes:
    """The verdict on the task's images, of all those of the data set, perhaps changed."""
    outcomes = []
    correct = 0
    for place, x, y in batches(task, images):
        outcomes.append(judge(task.model.exact, x, y))
        correct += int(outcomes[-1][0].sum())
        progress(place + len(x), correct)
    return _joined(outcomes)


def clean_outcomes(task: Task, progress: Progress = lambda done, correct: None) -> Outcomes:
    """The verdict on the images as they are, taken once for all tasks of a model."""
    found = list[Outcomes]()
    for part in task.parts():
        further = after(progress, [top1 for top1, _ in found])
        key = task.data, CLEAN, part.images
        found.append(task.model.remembered(key, partial(judge_images, part, task.data.images, further)))
    return _joined(found)


def after(progress: Progress, found: Sequence[Bits]) -> Progress:
    """Progress of a part of a task, where those before it gave these outcomes."""
    images, right = sum(map(len, found)), sum(int(top1.sum()) for top1 in found)
    return lambda done, correct: progress(images + done, right + correct)


def _joined(outcomes: Sequence[Outcomes]) -> Outcomes:
    return np.concatenate([top1 for top1, _ in outcomes]), np.concatenate([top5 for _, top5 in outcomes])


def first_images(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """The images for sanity checks, and their labels."""
    device = task.model.original.device
    labels = torch.from_numpy(task.data.labels[:CHECKED]).to(device)
    return to_pixels(task.data.images[:CHECKED], device), labels
