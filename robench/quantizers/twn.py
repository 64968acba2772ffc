"""Ternary Weight Networks (Li, Zhang, Liu 2016, arXiv:1605.04711)."""

import torch

from robench.quantizers import register
from robench.quantizers.base import Quantizer
from robench.quantizers.stored import StoredWeight, coded

THRESHOLD = 0.7


def ternary_codes(weight: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """-1 below -threshold, +1 above threshold, 0 between, int8."""
    return (weight > threshold).to(torch.int8) - (weight < -threshold).to(torch.int8)


def ternary_scale(weight: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Least-squares scale of given codes: the mean |w| where the code is not 0; 0 where all are."""
    kept = codes != 0
    return (weight.abs() * kept).sum() / kept.sum().clamp(min=1)


@register("twn_per_filter")
class TernaryPerFilter(Quantizer):
    """TWN with a threshold and a scale for each filter: a variant that the paper does not use."""

    bits = 2

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """Codes by each filter's threshold, scale [1, F]."""
        rows = latent.flatten(1)
        codes = ternary_codes(rows, THRESHOLD * rows.abs().mean(1, keepdim=True))
        kept = codes != 0
        scale = (rows.abs() * kept).sum(1) / kept.sum(1).clamp(min=1)
        return coded(codes.view_as(latent), scale.view(1, -1), self.bits)


@register("twn")
class TernaryWeightNetwork(Quantizer):
    """w in {-a, 0, a}: threshold D = 0.7 mean |W|, a = mean of the |W| above D, one D and a per tensor."""

    bits = 2

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """Codes by the threshold, scale a [1, 1]."""
        codes = ternary_codes(latent, THRESHOLD * latent.abs().mean())
        return coded(codes, ternary_scale(latent, codes).view(1, 1), self.bits)
