"""For each image, the smallest epsilon of a grid at which an attack succeeds.

Budgets nest: what fools a model within a small epsilon is allowed within a larger one, and where no perturbation of a
large budget fools it, none of a smaller one does. So each image is attacked at few epsilons of the grid, halving what
is open. The second half of that argument trusts the attack at the larger epsilon, and an attack may leave an image
alone before its last step; so a sample of images is attacked again, with all steps, there and at epsilons that were
left out, and a flag tells where that disagrees.

A perturbation that is scaled to another epsilon is within that budget too. Each one is tried at the next epsilon that
is open, for the price of a forward pass; where that does not fool the model, an attack that can be resumed goes on from
it for a few steps. So a search finds no less than the attack alone. Where a perturbation fools the model, but not when
it is rounded to 8 bits, larger epsilons are tried in the same way.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from robench.attacks import SMOOTH, TWIN, Traits
from robench.attacks.apply import attempt, check, gradients_of, resume, time_limit
from robench.attacks.directions import Directions
from robench.attacks.losses import misclassification_margin
from robench.attacks.notes import Notes
from robench.attacks.toolbox import SLACK, BestSoFar, fooled, loss_and_gradient, per_image, size, slope
from robench.attacks.witness import Witness
from robench.core.errors import RobenchError
from robench.core.kinds import Progress
from robench.core.types import Bits, Floats
from robench.engine.blocked import Blocked
from robench.engine.model import ModelUnderTest
from robench.engine.smooth import averaged
from robench.engine.task import Outcomes, Task
from robench.engine.verdict import judge, to_pixels

AUDITED = 64
"""Images that are attacked again: one block, which bounds what was missed to a few percent."""
BEND = 0.5
"""The first guess is this share of the epsilon that a linear model would need: losses grow faster than their slope."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found.

    Attributes:
        top1, top5: bool [levels, N], which images are right at each epsilon of the grid.
        rounded: the same as top1, for the adversarial images rounded to 8 bits.
        distance: float32 [N], how far those are from the originals (see Measurement); empty for more than one level.
        notes: what reasons to doubt it are drawn from.
        witness: see ``robench.attacks.witness``; empty where it was not asked for.
    """

    top1: Bits
    top5: Bits
    rounded: Bits
    distance: Floats
    notes: Notes
    witness: dict[str, npt.NDArray]


def attacked(model: ModelUnderTest, traits: Traits, via: str) -> tuple[Blocked, Blocked | None]:
    """What an attack is given of a model, and what it is given next on images that withstand it, if anything.

    Where the model passes no gradient, or the condition asks for it, these are those of its twin, or of a smooth copy;
    of these an attack takes all steps.
    """
    if via == SMOOTH and (copy := model.smooth()) is not None:
        return copy.with_slack(math.inf), None
    if not traits.gradient:
        return model.original if traits.bare else model.exact, None
    source = model.source if model.no_gradient or via == TWIN else None
    if traits.bare:
        return (source or model).original, None
    if source is None:
        return model.gradients, model.second_gradients
    second = source.second_gradients
    # Fooling the twin is not the aim, and no reason to stop.
    return source.gradients.with_slack(math.inf), second.with_slack(math.inf) if second is not None else None


class Attempt(NamedTuple):
    """Images [N], each perturbed within its level of the grid: originals, labels and what came out."""

    images: Indices
    levels: Indices
    x: torch.Tensor
    y: torch.Tensor
    result: torch.Tensor

    def of(self, chosen: Bits) -> "Attempt":
        """Some of the images."""
        where = torch.from_numpy(chosen)
        return Attempt(self.images[chosen], self.levels[chosen], self.x[where], self.y[where], self.result[where])


class Search:
    """One attack on one model, over a grid of epsilons.

    Args:
        task: whom it attacks, and on which images; the condition's ``grid`` has the epsilons, or its ``level`` the
            only one.
        clean: which of the images are right without an attack, at the first guess and within five.
        progress: called with (images done, robust so far).

    Images are counted from the first of the task's, but for what others know them by.
    """

    def __init__(self, task: Task, clean: Outcomes, progress: Progress = lambda done, correct: None) -> None:
        self.task, self.model, self.data = task, task.model, task.data
        self.progress = progress
        model, condition = task.model, task.condition
        self.grid = condition.grid or (condition.level,)
        self.condition = replace(condition, level=self.grid[0])
        self.attack = check(self.condition)
        self.norm = str(self.condition.setting("norm", self.attack.traits.norms[0]))
        via, passes = gradients_of(self.condition)
        self.attacked, self.second = attacked(model, self.attack.traits, via)
        if passes > 1 and model.random:
            self.attacked = averaged(self.attacked, passes).with_slack(math.inf)
        # A library's attack is given the same images together whatever the batch size, since it seeds them together.
        self.batch_size = (
            model.original.sizes[-1] if self.attack.traits.bare else model.exact.whole_blocks(task.batch_size)
        )
        self.limit = time_limit(self.condition, len(task.images) / len(task.data))
        # Two passes of a random model give two gradients, and each epsilon has its own.
        shared = (task.data, replace(self.condition, level=None), task.draw, task.seed, "directions")
        self.directions = None if model.random else model.remembered(shared, Directions)
        levels, images = len(self.grid), len(task.images)
        self.low = np.full(images, -1)  # largest level at which the model is known to be robust
        self.high = np.where(clean[0], levels, 0)  # smallest level known to fool it
        self.top5, self.rounded = np.tile(clean[1], (levels, 1)), np.tile(clean[0], (levels, 1))
        self.tried = np.zeros((levels, images), bool)
        self.distance = np.zeros(images if levels == 1 else 0, np.float32)
        self.changed, self.beyond, self.broken, self.unfinished = np.zeros((4, images), bool)
        self.witness = Witness(task.data.images, levels) if task.witness else None
        self.by_second = np.zeros(images, bool)  # fooled by the second gradients where the first ones failed

    def run(self) -> SearchResult:
        """Search until every image's epsilon is known, and audit a sample of what was left out."""
        guess = self._first_guess()
        while (unknown := self.high - self.low > 1).any():
            for part in self._parts(np.flatnonzero(unknown), guess[unknown]):
                self._scale(*self._strike(*part))
                done = self.high - self.low <= 1
                self.progress(max(int(done.sum()), 1), int((done & (self.low >= 0)).sum()))
            guess = np.where(self.low < 0, self.high - 1, self.low + 1)
        notes = self._notes(*self._audit())
        level = np.arange(len(self.grid))[:, None]
        top1 = level <= self.low
        top5 = top1 | np.logical_and.accumulate(self.top5, axis=0)
        witness = self.witness.arrays() if self.witness else {}
        rounded = np.logical_and.accumulate(self.rounded, axis=0)
        return SearchResult(top1, top5, rounded, self.distance, notes, witness)

    def _first_guess(self) -> Indices:
        """The largest level at which each image should still be robust, by the loss's slope at the clean image."""
        guess = np.zeros(len(self.low), int)
        if self.attack.traits.minimal:
            return guess + len(self.grid) - 1
        if len(self.grid) == 1:
            return guess
        for start in range(0, len(guess), self.batch_size):
            part = np.arange(start, min(start + self.batch_size, len(guess)))
            x, y = self._batch(part)
            try:
                point = loss_and_gradient(self.attacked, x, y, misclassification_margin)
            except (RobenchError, RuntimeError):  # no gradient: a black-box attack searches from the smallest epsilon
                return guess
            needed = BEND * (-point.loss / slope(point.gradient, self.norm)).cpu().numpy()
            guess[part] = np.searchsorted(self.grid[:-1], needed)
        return guess

    def _batch(self, images: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        device, chosen = self.model.original.device, self._in_data_set(images)
        return to_pixels(self.data.images[chosen], device), torch.from_numpy(self.data.labels[chosen]).to(device)

    def _in_data_set(self, images: Indices) -> Indices:
        return images + self.task.images.start

    def _parts(self, images: Indices, levels: Indices) -> Iterator[tuple[Indices, Indices]]:
        """Images and their levels, batch by batch."""
        for start in range(0, len(images), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield images[part], levels[part]

    def _strike(self, images: Indices, levels: Indices) -> tuple[Attempt, Bits]:
        """Attack some images, each at its level of the grid; gives what came out, and which images are robust."""
        x, y = self._batch(images)
        result = self._perturb(self.attacked, images, levels, x, y)
        if self.second is not None:
            result = self._stronger(self.second, result, images, levels, x, y)
        self.changed[images[(result != x).flatten(1).any(1).cpu().numpy()]] = True
        if self.attack.traits.minimal:
            return self._nearest(Attempt(images, levels, x, y, result))
        struck = Attempt(images, levels, x, y, result)
        robust = self._judge(struck)
        self.tried[levels, images] = True
        self.low[images[robust]] = levels[robust]
        return struck, robust

    def _nearest(self, struck: Attempt) -> tuple[Attempt, Bits]:
        """Judge what an attack found that looks for the smallest perturbation: each at the level of its own size.

        Nothing that is smaller is left to be looked for, nor anything within the level where it found nothing.
        """
        images, levels, x, y, result = struck
        sizes = size(result - x, self.norm)
        own = np.minimum(np.searchsorted(np.array(self.grid, float), sizes.cpu().numpy() - SLACK), levels)
        found = Attempt(images, own, x, y, result)
        robust = self._judge(found)
        self.low[images] = np.where(robust, levels, own - 1)
        self.tried[:, images] |= np.arange(len(self.grid))[:, None] <= levels
        return found, robust

    def _perturb(
        self, model: nn.Module, images: Indices, levels: Indices, x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """What the attack makes of some images by the gradients of ``model``; notes where the wrapper stepped in."""
        epsilons = self._epsilons(levels, x)
        known, task, chosen = self.directions if model is self.attacked else None, self.task, self._in_data_set(images)
        found = attempt(model, x, y, self.condition, task.seed, task.draw, chosen, epsilons, self.limit, known)
        for noted, where in (
            (self.beyond, found.beyond),
            (self.broken, found.broken),
            (self.unfinished, found.unfinished),
        ):
            noted[images[where.cpu().numpy()]] = True
        return found.images

    def _stronger(
        self, model: Blocked, first: torch.Tensor, images: Indices, levels: Indices, x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """What withstands the first gradients is attacked by the second ones; of both the larger margin is kept."""
        best = BestSoFar(self.model.exact, x, y)
        everyone = torch.arange(len(x), device=x.device)
        best.offer(everyone, first)
        standing = best.robust()
        if len(standing):
            chosen = standing.cpu().numpy()
            tried = self._perturb(model, images[chosen], levels[chosen], x[standing], y[standing])
            best.offer(standing, tried)
            self.by_second[images[chosen[fooled(self.model.exact, tried, y[standing]).cpu().numpy()]]] = True
        return best.result

    def _epsilons(self, levels: Indices, like: torch.Tensor) -> torch.Tensor:
        return torch.tensor(self.grid, dtype=like.dtype, device=like.device)[torch.from_numpy(levels)]

    def _judge(self, attempt: Attempt) -> Bits:
        """Which images are robust; what was fooled is written down, and what was fooled when rounded."""
        images, levels, x, y, result = attempt
        robust, top5 = judge(self.model.exact, result, y)
        stored = (result * 255).round() / 255
        rounded, _ = judge(self.model.exact, stored, y)
        lost = images[~robust]
        self.high[lost] = np.minimum(self.high[lost], levels[~robust])
        self.low[lost] = np.minimum(self.low[lost], levels[~robust] - 1)
        self.top5[levels, images] &= top5
        self.rounded[levels, images] &= rounded
        if self.witness:
            fallen = self._in_data_set(images[~rounded])
            self.witness.offer(fallen, levels[~rounded], stored[torch.from_numpy(~rounded)])
        if len(self.grid) == 1:
            self.distance[images] = 255 * (stored - x).abs().flatten(1).mean(1).cpu().numpy()
        return robust

    def _scale(self, attempt: Attempt, robust: Bits) -> None:
        """Scale perturbations to the levels beside theirs, as long as they fool and something can be learned there."""
        for way, chosen in ((1, np.full_like(robust, True)), (-1, ~robust)):
            scaled = attempt.of(chosen)
            while len(scaled.images):
                scaled = self._scaled(scaled, way)
                fooled = ~self._judge(scaled)
                self._resume(scaled.of(~fooled))
                scaled = scaled.of(fooled)

    def _resume(self, attempt: Attempt) -> None:
        """Go on from perturbations that do not fool, at levels that are open, where the attack knows how to."""
        images, levels, x, y, start = attempt.of(self._is_open(attempt.images, attempt.levels))
        if self.attack.resume is not None and len(images):
            epsilons = self._epsilons(levels, x)
            result = resume(self.attacked, start, x, y, self.condition, epsilons)
            self._judge(Attempt(images, levels, x, y, result))

    def _scaled(self, attempt: Attempt, way: int) -> Attempt:
        """Perturbations scaled to the level above (1) or below (-1), of images of which something is open there."""
        target = attempt.levels + way
        inside = (target >= 0) & (target < len(self.grid))
        images, levels, x, y, result = attempt.of(inside)
        target = target[inside]
        ratio = per_image(self._epsilons(target, x) / self._epsilons(levels, x), x)
        scaled = Attempt(images, target, x, y, (x + ratio * (result - x)).clamp(0, 1))
        return scaled.of(self._is_open(images, target))

    def _is_open(self, images: Indices, levels: Indices) -> Bits:
        """Whether it is unknown if an image is fooled at a level, or, where it is, if its rounded version is."""
        unknown = (self.low[images] < levels) & (levels < self.high[images])
        # Rounded verdicts accumulate over levels: fooled at a smaller one counts at all larger ones.
        above = np.arange(len(self.grid))[:, None] > levels
        robust_rounded = (self.rounded[:, images] | above).all(axis=0)
        return unknown | ((levels >= self.high[images]) & robust_rounded)

    def _notes(self, audited: int, missed: int) -> Notes:
        return Notes(
            images=len(self.low),
            audited=audited,
            missed=missed,
            attacked=int(self.tried.any(axis=0).sum()) if self.grid[-1] else 0,
            changed=int(self.changed.sum()),
            by_second=int(self.by_second.sum()),
            broken=int(self.broken.sum()),
            beyond=int(self.beyond.sum()),
            unfinished=int(self.unfinished.sum()),
        )

    def _audit(self) -> tuple[int, int]:
        """Attack a sample of images again, with all steps; gives its size, and how many were fooled then.

        By turns it is at the largest epsilon at which they robust, at the largest that was left out below it, and at
        the smallest.
        """
        skipped = ~self.tried & (np.arange(len(self.grid))[:, None] < self.low)
        sample = np.flatnonzero(skipped.any(0))[:AUDITED]
        if not len(sample):
            return 0, 0
        robust = self.low[sample]
        smallest = np.argmax(skipped[:, sample], axis=0)
        largest = len(self.grid) - 1 - np.argmax(skipped[::-1, sample], axis=0)
        chosen = np.choose(np.arange(len(sample)) % 3, (robust, largest, smallest))
        with self.model.stopping_early(False):
            for part in self._parts(sample, chosen):
                self._strike(*part)
        kept = self.high[sample] > chosen
        self.low[sample[kept]] = robust[kept]
        return len(sample), int((~kept).sum())
