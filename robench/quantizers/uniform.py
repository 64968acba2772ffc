"""Uniform integer quantization, symmetric, with one scale for each filter (Krishnamoorthi 2018, arXiv:1806.08342)."""

import torch

from robench.quantizers import register
from robench.quantizers.base import Quantizer
from robench.quantizers.stored import StoredWeight, coded

SMALLEST = 1e-12
STEPS = 40
"""Step sizes that the search for the least squared error tries, from the largest weight's share 1 / STEPS up."""


class Uniform(Quantizer):
    """w = s clip(round(W / s), -m, m) with m = 2^(bits - 1) - 1 and one step s for each filter."""

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """The step of each row: [F, weights] -> [F]."""
        return self.step_by_max(rows)

    def step_by_max(self, rows: torch.Tensor) -> torch.Tensor:
        """The largest magnitude of the row over m: nothing is clipped."""
        return (rows.abs().amax(1) / self.largest).clamp(min=SMALLEST)

    def step_by_error(self, rows: torch.Tensor) -> torch.Tensor:
        """Of 40 shares of the step by max, the one of the least squared error in each row."""
        widest = self.step_by_max(rows)
        best, least = widest, torch.full_like(widest, torch.inf)
        for share in torch.arange(1, STEPS + 1, device=rows.device) / STEPS:
            step = share * widest
            error = (self._codes(rows, step) * step[:, None] - rows).square().sum(1)
            best, least = torch.where(error < least, step, best), torch.minimum(error, least)
        return best

    @property
    def largest(self) -> int:
        """The largest code."""
        return int(2 ** (self.bits - 1)) - 1

    def _codes(self, rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return (rows / step[:, None]).round().clamp(-self.largest, self.largest)

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """Codes in two's complement, scale [1, F]."""
        rows = latent.flatten(1)
        step = self.step(rows)
        codes = self._codes(rows, step).view_as(latent)
        return coded(codes, step.view(1, -1), self.bits)


@register("int8")
class Int8(Uniform):
    """8 bits: codes from -127 to 127; the step is the filter's largest magnitude over 127."""

    bits = 8


@register("int6")
class Int6(Uniform):
    """6 bits: codes from -31 to 31; the step is the one of the least squared error."""

    bits = 6

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """Least squared error."""
        return self.step_by_error(rows)


@register("int4")
class Int4(Int6):
    """4 bits: codes from -7 to 7; the step is the one of the least squared error."""

    bits = 4


@register("w8a8")
class Int8WithActivations(Int8):
    """INT8 as it is deployed: the weights of all layers as ``int8``, and 8-bit inputs of each layer, after training."""

    layers = "all"
    activation_bits = 8
