"""Which images fall to an attack at which epsilon of a grid.

Budgets nest: what fools a model within a small epsilon is allowed within a larger one, and where no perturbation of a
large budget fools it, none of a smaller one does. So each image is attacked at few epsilons of the grid, halving what
is open. The second half of that argument trusts the attack at the larger epsilon; a sample of images is attacked at the
epsilons that were left out, and a flag tells where they disagree.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from robench.attacks.apply import perturb
from robench.attacks.gradient import look
from robench.attacks.losses import margin
from robench.core.types import Bits, Condition, Floats
from robench.data.base import Dataset
from robench.subject import Subject, judge, to_pixels

AUDITED = 64
TOLERATED = 0.03
BEND = 0.7

Progress = Callable[[int, int], None]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fallen:
    """What a search found.

    Attributes:
        top1, top5: bool [levels, N], which images are right at each epsilon of the grid.
        rounded: the same as top1, for the adversarial images rounded to 8 bits.
        distance: float32 [N], how far those are from the originals (see Measurement); empty for more than one level.
        flags: reasons to doubt it.
    """

    top1: Bits
    top5: Bits
    rounded: Bits
    distance: Floats
    flags: tuple[str, ...]


class Search:
    """One attack on one model and data set, over a grid of epsilons.

    Args:
        subject: the model.
        data: the images.
        clean: bool [N], which of them are right without an attack.
        condition: the attack; its ``grid`` has the epsilons, or its ``level`` the only one.
        seed, draw: of the random streams.
        batch_size: images that are attacked at once.
        progress: called with (images done, standing so far).
    """

    def __init__(
        self,
        subject: Subject,
        data: Dataset,
        clean: Bits,
        condition: Condition,
        seed: int,
        draw: int,
        batch_size: int,
        progress: Progress,
    ) -> None:
        self.subject, self.data, self.condition = subject, data, condition
        self.seed, self.draw, self.progress = seed, draw, progress
        self.batch_size = subject.exact.whole_blocks(batch_size)
        self.grid = condition.grid or (condition.level,)
        levels, images = len(self.grid), len(clean)
        self.low = np.full(images, -1)  # the highest level at which an image is known to stand
        self.high = np.where(clean, levels, 0)  # the lowest at which it is known to have fallen
        self.top5 = np.ones((levels, images), bool)
        self.rounded = np.tile(clean, (levels, 1))
        self.tried = np.zeros((levels, images), bool)
        self.distance = np.zeros(images if levels == 1 else 0, np.float32)

    def run(self) -> Fallen:
        """Search until every image's epsilon is known, and audit a sample of what was left out."""
        guess = self._first_guess()
        while (unknown := self.high - self.low > 1).any():
            self._attack(np.flatnonzero(unknown), guess[unknown], self.progress)
            guess = np.where(self.low < 0, self.high - 1, self.low + 1)
        flags = self._audit()
        level = np.arange(len(self.grid))[:, None]
        top1 = level <= self.low
        top5 = top1 | np.logical_and.accumulate(self.top5, axis=0)
        return Fallen(top1, top5, np.logical_and.accumulate(self.rounded, axis=0), self.distance, flags)

    def _first_guess(self) -> Indices:
        """The level at which each image should just fall, by the loss's slope at the clean image."""
        guess = np.zeros(len(self.low), int)
        if len(self.grid) == 1:
            return guess
        for start in range(0, len(guess), self.batch_size):
            part = slice(start, start + self.batch_size)
            x, y = self._batch(part)
            point = look(self.subject.gradients, x, y, margin)
            slope = point.gradient.flatten(1).abs().sum(1).clamp(min=1e-12)
            needed = BEND * (-point.loss / slope).cpu().numpy()
            guess[part] = np.searchsorted(self.grid[:-1], needed)
        return guess

    def _batch(self, images: Indices | slice) -> tuple[torch.Tensor, torch.Tensor]:
        device = self.subject.model.device
        return to_pixels(self.data.images[images], device), torch.from_numpy(self.data.labels[images]).to(device)

    def _attack(self, images: Indices, levels: Indices, progress: Progress = lambda done, standing: None) -> None:
        """Attack each image at its level of the grid, and write down what that tells."""
        for start in range(0, len(images), self.batch_size):
            part, level = (array[start : start + self.batch_size] for array in (images, levels))
            top1, top5, rounded = self._strike(part, level)
            self.tried[level, part] = True
            self.low[part] = np.where(top1, level, np.minimum(self.low[part], level - 1))
            self.high[part] = np.where(top1, self.high[part], level)
            self.top5[level, part] = top5
            self.rounded[level, part] &= rounded
            done = self.high - self.low <= 1
            progress(max(int(done.sum()), 1), int((done & (self.low >= 0)).sum()))

    def _strike(self, images: Indices, levels: Indices) -> tuple[Bits, Bits, Bits]:
        """Attack some images; (right at the first guess, within five, right after rounding to 8 bits)."""
        subject = self.subject
        x, y = self._batch(images)
        epsilons = torch.tensor(self.grid, dtype=x.dtype, device=x.device)[torch.from_numpy(levels)]
        outside = self.condition.name.startswith("torchattacks:")
        attacked = subject.model if outside else subject.gradients
        condition = replace(self.condition, level=self.grid[0])
        result = perturb(attacked, x, y, condition, self.seed, self.draw, images, epsilons)
        top1, top5 = judge(subject.exact, result, y)
        stored = (result * 255).round() / 255
        rounded, _ = judge(subject.exact, stored, y)
        if len(self.grid) == 1:
            self.distance[images] = 255 * (stored - x).abs().flatten(1).mean(1).cpu().numpy()
        return top1, top5, rounded

    def _audit(self) -> tuple[str, ...]:
        """Attack a sample of images at an epsilon that was left out below one at which they stood.

        By turns it is the largest of those epsilons and the smallest.
        """
        skipped = ~self.tried & (np.arange(len(self.grid))[:, None] < self.low)
        sample = np.flatnonzero(skipped.any(0))[:AUDITED]
        if not len(sample):
            return ()
        stood = self.low[sample]
        smallest = np.argmax(skipped[:, sample], axis=0)
        largest = len(self.grid) - 1 - np.argmax(skipped[::-1, sample], axis=0)
        chosen = np.where(np.arange(len(sample)) % 2, smallest, largest)
        self._attack(sample, chosen)
        kept = self.high[sample] > chosen
        self.low[sample[kept]] = stood[kept]
        share = float(1 - kept.mean())
        if share <= TOLERATED:
            return ()
        return (f"weaker at a larger epsilon: {share:.0%} of {len(sample)} images fell only at a smaller one",)
