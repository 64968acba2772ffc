"""One measurement to take, and what all kinds of conditions do with one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from robench.core.kinds import Progress
from robench.core.types import CLEAN, Bits, Blocks, Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import judge, to_pixels

CHECKED = 64
"""Images for sanity checks: one block, enough to see what happens to one in twenty."""


@dataclass(frozen=True, eq=False)
class Task:
    """One measurement to take: everything that decides its outcomes, and what does not, its batch size and witness.

    ``calibration`` holds training images, where the condition asks for them; with ``witness``, what shows that images
    fell is kept.
    """

    model: ModelUnderTest
    data: Dataset
    condition: Condition
    draw: int
    seed: int
    batch_size: int
    calibration: Dataset | None = None
    witness: bool = False


def batches(task: Task, images: Blocks) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """(index of the first image, pixels, labels) of each batch; batches are whole blocks of the model."""
    model = task.model.exact
    size = model.whole_blocks(task.batch_size)
    labels = torch.from_numpy(task.data.labels)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        yield start, to_pixels(images[part], model.device), labels[part].to(model.device)


def judge_images(task: Task, images: Blocks, progress: Progress) -> tuple[Bits, Bits]:
    """The verdict on ``images`` with the task's labels: top-1 and top-5, bool [N]."""
    outcomes = []
    correct = 0
    for start, x, y in batches(task, images):
        outcomes.append(judge(task.model.exact, x, y))
        correct += int(outcomes[-1][0].sum())
        progress(start + len(x), correct)
    return np.concatenate([top1 for top1, _ in outcomes]), np.concatenate([top5 for _, top5 in outcomes])


def clean_outcomes(task: Task, progress: Progress = lambda done, correct: None) -> tuple[Bits, Bits]:
    """The verdict on the images as they are, taken once for all tasks of a model."""
    return task.model.remembered((task.data, CLEAN), lambda: judge_images(task, task.data.images, progress))


def first_images(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """The images for sanity checks, and their labels."""
    device = task.model.original.device
    labels = torch.from_numpy(task.data.labels[:CHECKED]).to(device)
    return to_pixels(task.data.images[:CHECKED], device), labels
