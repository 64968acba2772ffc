"""Adversarial perturbations of the input within a budget. One paper, one file, one pure function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from robench.core.registry import Registry


@dataclass(frozen=True)
class Budget:
    """How far a perturbation may go: its norm ("linf" or "l2") and the size on the [0, 1] pixel scale."""

    norm: str
    epsilon: float


class ImageStreams:
    """Random numbers for a batch in which each image has its own stream."""

    def __init__(self, streams: Sequence[np.random.Generator]) -> None:
        self.streams = streams

    def uniform(self, like: torch.Tensor) -> torch.Tensor:
        """Uniform in [-1, 1), of the shape, type and device of ``like`` [N, ...]."""
        draws = [2 * stream.random(like.shape[1:], np.float32) - 1 for stream in self.streams]
        return torch.from_numpy(np.stack(draws)).to(like)


class Attack(Protocol):
    """An attack: images [N, C, H, W] in [0, 1] and labels [N] -> perturbed images of the same shape.

    It may change only what the budget allows; the room's wrapper holds it to that. ``params`` are its own settings.
    """

    def __call__(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, **params: object
    ) -> torch.Tensor: ...


ATTACKS: Registry[Attack] = Registry("attack", "robench.attacks")
register = ATTACKS.register
