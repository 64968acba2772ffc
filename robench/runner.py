"""(model, data, condition) -> measurement. Knows no suite, no store and no screen."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from robench import checks
from robench.attacks import apply as attacks
from robench.core.errors import RobenchError
from robench.core.types import Bits, Condition, Images, Measurement, ModelCard
from robench.corruptions import apply as corruptions
from robench.data.base import Dataset
from robench.distortions import apply as distortions
from robench.models.blocked import Blocked

PROTOCOL = 1
"""Raised whenever a condition would give other counts than before: measurements of another protocol are not used."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Subject:
    """A model as it is measured.

    Attributes:
        card: what is known of it.
        model: pixels in [0, 1] -> logits, in blocks; every verdict is its own.
        gradients: the same function, faster; attacks take their gradients from it.
        lowbit: names of the layers whose weights are deployed in low bits.
        fingerprint: of its weights and predictions; decides whether a stored measurement is its own.
    """

    card: ModelCard
    model: Blocked
    gradients: Blocked
    lowbit: frozenset[str]
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Task:
    """One measurement to take: everything that decides its counts, and the batch size, which does not."""

    subject: Subject
    data: Dataset
    condition: Condition
    draw: int
    seed: int
    batch_size: int


def judge(model: Blocked, x: torch.Tensor, y: torch.Tensor) -> tuple[Bits, Bits]:
    """Which images [N, C, H, W] are right at the first guess, and within five. Non-finite logits count as wrong."""
    with torch.inference_mode():
        logits = model(x)
    finite = logits.isfinite().all(1)
    guesses = logits.topk(min(5, logits.shape[1]), dim=1).indices == y[:, None]
    top1 = (logits.argmax(1) == y) & finite
    return top1.cpu().numpy(), ((guesses.any(1) & finite) | top1).cpu().numpy()


def to_pixels(images: Images, device: torch.device) -> torch.Tensor:
    """uint8 images -> float32 in [0, 1] on the device."""
    return torch.from_numpy(images).to(device).float() / 255


def batches(task: Task, images: Images) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """(index of the first image, pixels, labels) of each batch; batches are whole blocks of the model."""
    model = task.subject.model
    size = -(-task.batch_size // model.block) * model.block
    labels = torch.from_numpy(task.data.labels)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        yield start, to_pixels(images[part], model.device), labels[part].to(model.device)


@lru_cache(maxsize=1)
def _corrupted(data: Dataset, name: str, severity: float | None, seed: int, draw: int) -> Images:
    return corruptions.corrupt(data.images, name, severity, seed, draw)


def _judge_images(task: Task, images: Images, progress: Progress) -> tuple[Bits, Bits]:
    outcomes = []
    correct = 0
    for start, x, y in batches(task, images):
        outcomes.append(judge(task.subject.model, x, y))
        correct += int(outcomes[-1][0].sum())
        progress(start + len(x), correct)
    return _joined(outcomes)


def _joined(outcomes: list[tuple[Bits, Bits]]) -> tuple[Bits, Bits]:
    return np.concatenate([top1 for top1, _ in outcomes]), np.concatenate([top5 for _, top5 in outcomes])


def _clean(task: Task, progress: Progress) -> Measurement:
    top1, top5 = _judge_images(task, task.data.images, progress)
    flags = checks.of_predictions(task.subject.model, to_pixels(task.data.images[:32], task.subject.model.device))
    flags += checks.of_clean_accuracy(int(top1.sum()), len(top1), len(task.data.classes))
    return Measurement(task.condition, task.draw, top1, top5, flags)


def _corruption(task: Task, progress: Progress) -> Measurement:
    noise = task.condition
    images = _corrupted(task.data, noise.name, noise.level, task.seed, task.draw)
    return Measurement(noise, task.draw, *_judge_images(task, images, progress))


def _attack(task: Task, progress: Progress) -> Measurement:
    model = task.subject.model
    outcomes = []
    correct = 0
    for start, x, y in batches(task, task.data.images):
        clean1, clean5 = judge(model, x, y)
        adversarial = attacks.perturb(task.subject.gradients, x, y, task.condition, task.seed, task.draw, start)
        top1, top5 = judge(model, adversarial, y)
        outcomes.append((top1 & clean1, top5 & clean5))
        correct += int(outcomes[-1][0].sum())
        progress(start + len(x), correct)
    return Measurement(task.condition, task.draw, *_joined(outcomes))


def _distortion(task: Task, progress: Progress) -> Measurement:
    change, subject = task.condition, task.subject
    with distortions.distorted(
        subject.model.model, change.name, change.level, task.seed, task.draw, subject.lowbit
    ) as changed:
        if changed:
            return Measurement(change, task.draw, *_judge_images(task, task.data.images, progress))
    nothing = np.zeros(0, bool)
    return Measurement(change, task.draw, nothing, nothing, ("n/a: the identity on this model's weights",))


MEASURES = {"clean": _clean, "corruption": _corruption, "attack": _attack, "distortion": _distortion}


def validate(condition: Condition) -> None:
    """Raise RobenchError where a condition names what does not exist, or a level that does not fit."""
    if condition.kind == "corruption":
        corruptions.check(condition.name, condition.level)
    elif condition.kind == "attack":
        attacks.check(condition)
    elif condition.kind == "distortion":
        distortions.check(condition.name, condition.level)


def measure(task: Task, progress: Progress = lambda done, correct: None) -> Measurement:
    """Take one measurement.

    Args:
        task: what to measure.
        progress: called with (images done, correct so far) after each batch.

    Raises:
        RobenchError: the condition does not fit, or the model cannot be evaluated on these images.
    """
    started = time.perf_counter()
    try:
        result = MEASURES[task.condition.kind](task, progress)
    except torch.OutOfMemoryError as error:
        raise RobenchError("the device ran out of memory; use a smaller --batch-size.") from error
    seconds = time.perf_counter() - started
    return Measurement(result.condition, result.draw, result.top1, result.top5, result.flags, seconds)
