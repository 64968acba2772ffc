"""A fault of one model's memory, for as long as its images are judged."""

from functools import partial

import numpy as np
import torch

from robench.core.kinds import Progress
from robench.core.seeding import stream
from robench.core.types import Bits, Measurement
from robench.engine.replacing import replaced
from robench.engine.task import Task, clean_outcomes, judge_images
from robench.engine.verdict import to_pixels
from robench.faults import DoesNotApplyError
from robench.faults.apply import check, chip, struck, target_weights
from robench.faults.victim import Victim
from robench.faults.witness import turned_bits

Step = tuple[str, torch.Tensor]

BATCH = 128
"""Training images on which harmful bits are looked for."""
CHANCE = 1.1
"""The model is at chance at this multiple of it, 11% of ten classes (Rakin et al. 2019), or where it is no better than
one guess for all images."""
GAP = 16
"""A path is judged after every second flip, and later after one part in so many; near its end after every one."""


def measured(task: Task, progress: Progress) -> Measurement:
    """Judge the images while the memory errs.

    Raises:
        DoesNotApplyError: the fault means nothing for this model.
    """
    if task.model.sealed:
        raise DoesNotApplyError(task.model.sealed)
    if task.condition.fact("acts_on") == "search":
        return _searched(task, progress)
    tested = task.model
    model = tested.original.model
    try:
        with struck(model, tested.stored, task.condition, task.seed, task.draw) as result:
            tested.refresh()
            outcomes = judge_images(task, task.data.images, progress) if result.values else None
    finally:
        tested.refresh()
    outcomes = outcomes or clean_outcomes(task, progress)
    return Measurement(task.condition, task.draw, *outcomes, numbers=tuple(sorted(result.numbers.items())))


def _searched(task: Task, progress: Progress) -> Measurement:
    """Turn bit after bit until the model is at chance, or as many as the level allows."""
    tested = task.model
    model = tested.original.model
    coded = target_weights(model, tested.stored)
    if not all(weight.is_coded for weight in coded.values()):
        raise DoesNotApplyError("this model stores floats, of which one bit of the exponent is enough")
    try:
        with replaced(model, {name: model.state_dict()[name] for name in coded}):
            walk = _Walk(task, Victim(tested, coded, _images(task)), progress)
            outcomes, path, at_chance = walk.run()
    finally:
        tested.refresh()
    size, flips = sum(weight.values.numel() * weight.bits for weight in coded.values()), path[-1][0]
    numbers = {"bits": size, "flips": flips} | ({"flips_to_chance": flips} if at_chance else {})
    witness = turned_bits(walk.steps, flips) if task.witness else {}
    return Measurement(
        task.condition, task.draw, *outcomes, numbers=tuple(sorted(numbers.items())), path=path, witness=witness
    )


class _Walk:
    """From the sound model, flip by flip, to the first state at chance; ``steps`` may go beyond that.

    Not every state is judged. Where one is at chance, and the judged one before it is not, those in between are judged
    by halves: the one that is found is at chance, and the one before it is not.
    """

    def __init__(self, task: Task, victim: Victim, progress: Progress) -> None:
        self.task, self.victim, self.progress = task, victim, progress
        self.limit = int(task.condition.level or 0)
        self.chance = max(CHANCE / len(task.data.classes) * len(task.data), np.bincount(task.data.labels).max())
        self.judged = {0: clean_outcomes(task)}
        self.steps: list[Step] = []  # all of them, in order

    def run(self) -> tuple[tuple[Bits, Bits], tuple[tuple[int, int], ...], bool]:
        """Outcomes in the last state; (flips, images that are right) of judged states; if it is at chance."""
        streams = partial(chip, self.task.seed, self.task.condition.name, self.task.draw)
        steps: list[Step] = []  # since the last judged state
        done = 0
        for step in check(self.task.condition)[0].function(self.victim, self.limit, streams):
            steps.append(step)
            self.steps.append(step)
            done += len(step[1])
            if done - max(self.judged) >= max(2, done // GAP) or done == self.limit:
                if self._at_chance(done):
                    done = self._first_at_chance(steps, done)
                    break
                steps = []
        at_chance = self._at_chance(done)
        path = ((flips, int(top1.sum())) for flips, (top1, _) in sorted(self.judged.items()) if flips <= done)
        return self.judged[done], tuple(path), at_chance

    def _at_chance(self, flips: int) -> bool:
        """Whether the present state, of so many flips, is at chance."""
        if flips not in self.judged:
            self.judged[flips] = judge_images(self.task, self.task.data.images, lambda images, correct: None)
        correct = int(self.judged[flips][0].sum())
        self.progress(max(round(len(self.task.data) * flips / max(self.limit, 1)), 1), correct)
        return correct <= self.chance

    def _first_at_chance(self, steps: list[Step], done: int) -> int:
        """The flips of the first such state among those that the steps led through; the present one is the last."""
        counts = [done - sum(len(bits) for _, bits in steps[place:]) for place in range(len(steps) + 1)]
        low, high, now = 0, len(steps), len(steps)
        while high - low > 1:
            middle = (low + high) // 2
            for name, bits in steps[min(now, middle) : max(now, middle)]:
                self.victim.flip(name, bits)  # a bit that is turned twice is what it was
            now = middle
            low, high = (low, middle) if self._at_chance(counts[middle]) else (middle, high)
        return counts[high]


def _images(task: Task) -> torch.Tensor:
    """The training images of one draw."""
    assert task.calibration is not None
    images = task.calibration.images
    rng = stream(task.seed, "fault", task.condition.name, task.draw, "images")
    chosen = rng.choice(len(images), min(BATCH, len(images)), replace=False)
    return to_pixels(images[chosen], task.model.original.device)
