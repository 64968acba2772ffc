"""What a quantizer is, and what its deployed result is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn


@dataclass(frozen=True)
class LowBit:
    """The deployed form of one weight tensor: small integers and their scales.

    Attributes:
        codes: int8 in {-1, 0, +1}, the shape of the weight.
        scale: float32, [1, G] where both signs share a magnitude, [2, G] where row 0 scales the negative codes and
            row 1 the positive ones; G is 1 (per tensor) or the number of filters (first dimension of the weight).
        bits: of one stored code, 1 (binary: no zero occurs) or 2 (ternary).
    """

    codes: torch.Tensor
    scale: torch.Tensor
    bits: int

    def dequantize(self) -> torch.Tensor:
        """The float32 weight that the codes stand for."""
        negative, positive = (row.view(-1, *[1] * (self.codes.dim() - 1)) for row in (self.scale[0], self.scale[-1]))
        return torch.where(self.codes < 0, -negative, positive) * (self.codes != 0)


class Quantizer(nn.Module, ABC):
    """A rule from latent float weights to the low-bit ones, for one layer.

    Its ``forward`` makes it a ``torch.nn.utils.parametrize`` parametrization: low-bit values go forward, and the
    gradient reaches the latent weight unchanged (straight-through, Bengio et al. 2013) unless a rule says otherwise.

    Args:
        weight: the layer's weight at the start, from which a rule may take its own parameters.

    Attributes:
        bits: of one stored weight.
        projects: whether the layer trains at another weight than the one that is deployed.
        active: while False, the layer computes with its latent weight as it is.
        bound: the latent weight is clipped to [-bound, bound] after each step; 0 leaves it free.
        bounds_early: whether it is clipped while the rule is not active, too.
    """

    bits: ClassVar[int]
    projects: ClassVar[bool] = False

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.active = True
        self.bound = 0.0
        self.bounds_early = False

    @abstractmethod
    def lowbit(self, latent: torch.Tensor) -> LowBit | None:
        """Codes and scales of ``latent``; None where the weight is deployed as it is."""

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """The weight that the layer computes with, of the shape of ``latent``."""
        return self.quantize(latent) if self.active else latent

    def quantize(self, latent: torch.Tensor) -> torch.Tensor:
        """The low-bit weight, with a gradient for the latent one."""
        lowbit = self.lowbit(latent.detach())
        return latent if lowbit is None else lowbit.dequantize() + (latent - latent.detach())

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
