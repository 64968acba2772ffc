"""What a quantizer is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn

from robench.quantizers.stored import StoredWeight


class Quantizer(nn.Module, ABC):
    """A rule from a layer's latent float weight to the weight that is stored.

    Its ``forward`` makes it a ``torch.nn.utils.parametrize`` parametrization: the stored weight's values go forward,
    and the gradient reaches the latent weight unchanged (straight-through, Bengio et al. 2013) unless a rule says
    otherwise.

    Args:
        weight: the layer's weight at the start, from which a rule may take its own parameters.

    Attributes:
        bits: of one stored weight.
        layers: whose weights it is meant for: "inner" leaves the first and the last layer in full precision.
        activation_bits: of the inputs of these layers, where the rule quantizes them as well; 0 where it does not.
        active: while False, the layer computes with its latent weight as it is.
        bound: the latent weight is clipped to [-bound, bound] after each step; 0 leaves it free.
        bounds_early: whether it is clipped while the rule is not active, too.
        error: added to the stored weight for training against an erring memory; None for none.
    """

    bits: ClassVar[int]
    layers: ClassVar[str] = "inner"
    activation_bits: ClassVar[int] = 0

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.active = True
        self.bound = 0.0
        self.bounds_early = False
        self.error: torch.Tensor | None = None

    @abstractmethod
    def store(self, latent: torch.Tensor) -> StoredWeight:
        """How ``latent`` is deployed: codes with scales (see ``robench.quantizers.stored.coded``), or floats."""

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """The weight that the layer computes with, of the shape of ``latent``."""
        if not self.active:
            return latent
        weight = self.quantize(latent)
        return weight if self.error is None else weight + self.error

    def quantize(self, latent: torch.Tensor) -> torch.Tensor:
        """The stored weight, with a gradient for the latent one."""
        stored = self.store(latent.detach())
        return stored.weight() + (latent - latent.detach()) if stored.is_coded else latent

    def restart(self, latent: torch.Tensor) -> None:
        """Take the rule's own parameters afresh from ``latent``; called when a rule becomes active in mid-training."""

    @torch.no_grad()
    def after_step(self, latent: torch.Tensor) -> None:
        """Called with the latent weight after each optimizer step; clips it to its bound, in place."""
        if self.bound:
            latent.clamp_(-self.bound, self.bound)


def glorot_bound(weight: torch.Tensor) -> float:
    """sqrt(1.5 / (fan_in + fan_out)) of a layer's weight, the scale of BinaryConnect's code."""
    receptive_field = weight[0, 0].numel()
    return float((1.5 / (receptive_field * (weight.shape[0] + weight.shape[1]))) ** 0.5)


def per_filter_mean(values: torch.Tensor) -> torch.Tensor:
    """Mean over everything but the first dimension: [F, ...] -> [F]."""
    return values.flatten(1).mean(1)
