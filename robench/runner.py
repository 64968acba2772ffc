"""(model, data, condition) -> measurement. Knows no suite, no store and no screen."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from robench import checks
from robench.attacks import apply as attacks
from robench.attacks.gradient import without_rounding
from robench.core.errors import RobenchError
from robench.core.types import Bits, Condition, Images, Measurement
from robench.corruptions import apply as corruptions
from robench.data.base import Dataset
from robench.distortions import apply as distortions
from robench.models.folding import Folded
from robench.models.recalibration import Statistics, recalibrated, statistics
from robench.search import Fallen, Search
from robench.subject import Subject, judge, to_pixels

PROTOCOLS = {"clean": 5, "corruption": 5, "attack": 7, "distortion": 5, "recalibrated distortion": 6}
"""Raised whenever a condition of that kind would give other counts: what is stored under another is not used."""

Progress = Callable[[int, int], None]
CHECKED = 64
IDENTITY = "the identity on this model's weights"
NO_BATCH_NORM = "this model has no batch norm to recalibrate"


@dataclass(frozen=True, eq=False)
class Task:
    """One measurement to take: everything that decides its counts, and the batch size, which does not.

    ``calibration`` holds the training images on which batch norm is recalibrated, where the condition asks for that.
    """

    subject: Subject
    data: Dataset
    condition: Condition
    draw: int
    seed: int
    batch_size: int
    calibration: Dataset | None = None


def batches(task: Task, images: Images) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """(index of the first image, pixels, labels) of each batch; batches are whole blocks of the model."""
    model = task.subject.exact
    size = model.whole_blocks(task.batch_size)
    labels = torch.from_numpy(task.data.labels)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        yield start, to_pixels(images[part], model.device), labels[part].to(model.device)


def _amount(noise: Condition) -> float | None:
    """What a corruption has instead of a severity."""
    params = dict(noise.params)
    amount = params.pop("amount", None)
    if params or not isinstance(amount, int | float | None):
        raise RobenchError(
            f"the corruption {noise.name} takes a severity, or amount = NUMBER; not {dict(noise.params)}."
        )
    return amount


@lru_cache(maxsize=1)
def _corrupted(data: Dataset, noise: Condition, seed: int, draw: int) -> Images:
    return corruptions.corrupt(data.images, noise.name, noise.level, seed, draw, _amount(noise))


def _judge_images(task: Task, images: Images, progress: Progress) -> tuple[Bits, Bits]:
    outcomes = []
    correct = 0
    for start, x, y in batches(task, images):
        outcomes.append(judge(task.subject.exact, x, y))
        correct += int(outcomes[-1][0].sum())
        progress(start + len(x), correct)
    return _joined(outcomes)


def _joined(outcomes: list[tuple[Bits, Bits]]) -> tuple[Bits, Bits]:
    return np.concatenate([top1 for top1, _ in outcomes]), np.concatenate([top5 for _, top5 in outcomes])


def _clean_outcomes(task: Task, progress: Progress = lambda done, correct: None) -> tuple[Bits, Bits]:
    def run() -> tuple[Bits, Bits]:
        return _judge_images(task, task.data.images, progress)

    return task.subject.remembered((task.data, "clean"), run)


def _clean(task: Task, progress: Progress) -> Measurement:
    top1, top5 = _clean_outcomes(task, progress)
    flags = checks.of_predictions(task.subject.model, to_pixels(task.data.images[:32], task.subject.model.device))
    flags += checks.of_clean_accuracy(int(top1.sum()), len(top1), len(task.data.classes))
    return Measurement(task.condition, task.draw, top1, top5, flags)


def _corruption(task: Task, progress: Progress) -> Measurement:
    noise = task.condition
    images = _corrupted(task.data, noise, task.seed, task.draw)
    return Measurement(noise, task.draw, *_judge_images(task, images, progress))


def _attack(task: Task, progress: Progress) -> Measurement:
    condition = task.condition
    found = _search(task, progress)
    level = condition.grid.index(condition.level) if condition.level in condition.grid else 0
    outcomes = found.top1[level], found.top5[level]
    return Measurement(
        condition, task.draw, *outcomes, found.flags, rounded=found.rounded[level], distance=found.distance
    )


def _search(task: Task, progress: Progress) -> Fallen:
    """One search for all tasks that differ in the level alone."""
    condition = replace(task.condition, level=None) if task.condition.grid else task.condition

    def run() -> Fallen:
        clean, _ = _clean_outcomes(task)
        subject, data, size = task.subject, task.data, task.batch_size
        with subject.patience(subject.patient or not _predictable(task)):
            found = Search(subject, data, clean, condition, task.seed, task.draw, size, progress).run()
        return replace(found, flags=found.flags + _gradient_flags(task))

    return task.subject.remembered((task.data, condition, task.draw, task.seed), run)


def _predictable(task: Task) -> bool:
    def run() -> bool:
        return checks.predictable(without_rounding(task.subject.gradients), *_first_images(task))

    return task.subject.remembered((task.data, "predictable"), run)


def _gradient_flags(task: Task) -> tuple[str, ...]:
    def run() -> tuple[str, ...]:
        flags = checks.of_gradients(task.subject.exact, *_first_images(task))
        return flags + checks.of_surrogates(task.subject.gradients, _predictable(task))

    return task.subject.remembered((task.data, "gradient flags"), run)


def _first_images(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Those that checks look at, and their labels."""
    device = task.subject.model.device
    return to_pixels(task.data.images[:CHECKED], device), torch.from_numpy(task.data.labels[:CHECKED]).to(device)


def _distortion(task: Task, progress: Progress) -> Measurement:
    with _distorted(task) as obstacle:
        if not obstacle:
            return Measurement(task.condition, task.draw, *_judge_images(task, task.data.images, progress))
    nothing = np.zeros(0, bool)
    return Measurement(task.condition, task.draw, nothing, nothing, (f"n/a: {obstacle}",))


@contextmanager
def _distorted(task: Task) -> Iterator[str]:
    """Distort the subject's weights for a while; yields why the condition does not apply to it, or ""."""
    change, subject = task.condition, task.subject
    model, folded = subject.model.model, subject.exact.model
    refresh = folded.refresh if isinstance(folded, Folded) else lambda: None
    inner = dict(change.params).get("layers") == "inner"
    before = _statistics(task) if recalibrates(change) else None
    with ExitStack() as stack:
        stack.callback(refresh)  # last of all, when weights and statistics are what they were
        changed = stack.enter_context(
            distortions.distorted(model, change.name, change.level, task.seed, task.draw, subject.lowbit, inner=inner)
        )
        fits = before is None or stack.enter_context(recalibrated(model, _calibration_images(task), before))
        refresh()
        yield "" if changed and fits else NO_BATCH_NORM if changed else IDENTITY


def recalibrates(condition: Condition) -> bool:
    """Whether batch norm's statistics are taken again for it, for which a task needs training images."""
    return condition.kind == "distortion" and dict(condition.params).get("batch_norm") == "recalibrated"


def protocol(condition: Condition) -> int:
    """The number in ``PROTOCOLS`` that a measurement of it is stored under."""
    return PROTOCOLS["recalibrated distortion" if recalibrates(condition) else condition.kind]


def _statistics(task: Task) -> Statistics:
    """Batch norm's statistics over the calibration images while the weights are what they were."""

    def run() -> Statistics:
        return statistics(task.subject.model.model, _calibration_images(task))

    return task.subject.remembered((task.calibration, "statistics"), run)


def _calibration_images(task: Task) -> torch.Tensor:
    assert task.calibration is not None
    return torch.from_numpy(task.calibration.images)


MEASURES = {"clean": _clean, "corruption": _corruption, "attack": _attack, "distortion": _distortion}


def validate(condition: Condition) -> None:
    """Raise RobenchError where a condition names what does not exist, or a level that does not fit."""
    if condition.kind == "corruption":
        corruptions.check(condition.name, condition.level, _amount(condition))
    elif condition.kind == "attack":
        attacks.check(condition)
    elif condition.kind == "distortion":
        distortions.check(condition.name, condition.level, dict(condition.params))


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
    return replace(result, seconds=seconds)
