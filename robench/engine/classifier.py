"""The form in which every model is measured: pixels in [0, 1] in, logits out, normalisation inside."""

from collections.abc import Sequence

import torch
from torch import nn


class Classifier(nn.Module):
    """A network behind its own normalisation.

    Args:
        network: takes normalised images [N, C, H, W], gives logits [N, classes].
        mean, std: per channel, on the [0, 1] scale; ``(0,)`` and ``(1,)`` leave pixels as they are.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 pixels in [0, 1], [N, C, H, W] -> logits [N, classes]."""
        return self.network((x - self.mean) / self.std)
