"""Binary-Weight-Networks (Rastegari et al. 2016, arXiv:1603.05279)."""

import torch

from robench.quantizers import register
from robench.quantizers.base import LowBit, Quantizer, per_filter_mean
from robench.quantizers.binaryconnect import sign


@register("bwn")
class BinaryWeightNetwork(Quantizer):
    """w = a sgn(W), a = mean |W| per filter: the least-squares binary approximation of each filter."""

    bits = 1

    def lowbit(self, latent: torch.Tensor) -> LowBit:
        """Codes sgn(W), scale mean |W| [1, F]."""
        return LowBit(sign(latent), per_filter_mean(latent.abs()).view(1, -1), self.bits)
