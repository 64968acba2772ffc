"""Adversarial perturbations of the input within a budget. One paper, one file, one pure function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from robench.core.registry import Registry


@dataclass(frozen=True)
class Budget:
    """How far the perturbation of each image of a batch may go.

    Attributes:
        norm: "linf" or "l2".
        epsilon: its size on the [0, 1] pixel scale, float [N].
    """

    norm: str
    epsilon: torch.Tensor

    @property
    def radius(self) -> torch.Tensor:
        """Epsilon as [N, 1, 1, 1], to be multiplied with images."""
        return self.epsilon.view(-1, 1, 1, 1)

    def of(self, chosen: torch.Tensor) -> "Budget":
        """The budgets of some of the images, by index or mask."""
        return Budget(self.norm, self.epsilon[chosen])


class ImageStreams:
    """Random numbers for a batch in which each image has its own stream."""

    def __init__(self, streams: Sequence[np.random.Generator]) -> None:
        self.streams = streams

    def uniform(self, like: torch.Tensor) -> torch.Tensor:
        """Uniform in [-1, 1), of the shape, type and device of ``like`` [N, ...]."""
        draws = [2 * stream.random(like.shape[1:], np.float32) - 1 for stream in self.streams]
        return torch.from_numpy(np.stack(draws)).to(like)

    def table(self, rows: int, columns: int, like: torch.Tensor) -> torch.Tensor:
        """Uniform in [0, 1): [N, rows, columns], of the type and device of ``like``."""
        draws = [stream.random((rows, columns), np.float32) for stream in self.streams]
        return torch.from_numpy(np.stack(draws)).to(like)

    def of(self, chosen: torch.Tensor) -> "ImageStreams":
        """The streams of the images with these indices."""
        return ImageStreams([self.streams[index] for index in chosen.tolist()])


Attack = Callable[..., torch.Tensor]
"""(model, x, y, budget, rng, **params) -> images: x [N, C, H, W] in [0, 1] and labels y [N] in, perturbed images of the
same shape out. It may change what the budget allows; the room's wrapper holds it to that. ``params``: its own settings,
keyword-only."""

ATTACKS: Registry[Attack] = Registry("attack", "robench.attacks")
register = ATTACKS.register

RESUMING: Registry[Attack] = Registry("attack that can be resumed", "robench.attacks")
"""By an attack's name, (model, start, x, y, budget, **params) -> images: a few steps more from perturbed images
``start``, which are within the budget and stand."""
resumes = RESUMING.register
