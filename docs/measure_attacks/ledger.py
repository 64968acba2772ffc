"""What an attack has cost, image by image, and the smallest perturbation that it has tried and that fools."""

from threading import Lock

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

SLACK = 1e-6


class Ledger:
    """Of images [N, C, H, W] in [0, 1] and their labels.

    Args:
        x, y: images and labels.
        largest: perturbations beyond it (Linf) count as passes where ``beyond``, and never as found.
        passes: that an image may have; what comes later counts for nothing.
        beyond: False where batches are filled up with images that are nobody's.

    Attributes:
        spent: passes of each image, forward and backward ones, float64 [N].
        smallest: size of the smallest perturbation that fools, float64 [N]; infinite where none was found.
    """

    def __init__(
        self, x: torch.Tensor, y: torch.Tensor, largest: float, passes: float = np.inf, *, beyond: bool = True
    ) -> None:
        self.x, self.y, self.largest, self.passes, self.beyond = x.flatten(1), y, largest, passes, beyond
        self.spent = np.zeros(len(x))
        self.smallest = np.full(len(x), np.inf)
        self._lock = Lock()

    @torch.no_grad()
    def enter(self, images: torch.Tensor, logits: torch.Tensor | None) -> npt.NDArray[np.int64]:
        """Write down one forward pass, with its verdict if it is one; gives whose images they are.

        Each image is nearest to its own original.
        """
        flat = images.detach().flatten(1).float()
        owner = torch.cdist(flat, self.x).argmin(1)
        sizes = (flat - self.x[owner]).abs().amax(1)
        legal = (sizes <= self.largest + SLACK) & (flat.amin(1) >= -SLACK) & (flat.amax(1) <= 1 + SLACK)
        wrong = logits.detach().argmax(1) != self.y[owner] if logits is not None else torch.zeros_like(legal)
        fooled = (legal & wrong).numpy()
        whose, counted = owner.numpy(), np.ones(len(owner), bool) if self.beyond else legal.numpy()
        with self._lock:
            in_time = self.spent[whose] < self.passes
            found = fooled & in_time
            np.minimum.at(self.smallest, whose[found], sizes.double().numpy()[found])
            np.add.at(self.spent, whose[counted], 1)
        chosen: npt.NDArray[np.int64] = whose[counted]
        return chosen

    def back(self, whose: npt.NDArray[np.int64]) -> None:
        """Write down one backward pass."""
        with self._lock:
            np.add.at(self.spent, whose, 1)


class Counted(nn.Module):
    """A model whose passes are written down.

    Args:
        model: pixels in [0, 1] -> logits.
        ledger: where.
        verdicts: what it says of an image is a verdict, and not the opinion of a copy in low precision.
    """

    def __init__(self, model: nn.Module, ledger: Ledger, *, verdicts: bool = True) -> None:
        super().__init__()
        self.model, self.ledger, self.verdicts = model, ledger, verdicts

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] -> [N, classes]."""
        logits: torch.Tensor = self.model(images)
        whose = self.ledger.enter(images, logits if self.verdicts else None)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self.ledger.back(whose))
        return logits
