"""Binary-Weight-Networks (Rastegari et al. 2016, arXiv:1603.05279)."""

import torch

from robench.quantizers import register
from robench.quantizers.base import Quantizer, per_filter_mean
from robench.quantizers.binaryconnect import sign
from robench.quantizers.stored import StoredWeight, coded


@register("bwn")
class BinaryWeightNetwork(Quantizer):
    """w = a sgn(W), a = mean |W| per filter: the least-squares binary approximation of each filter."""

    bits = 1

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """Codes sgn(W), scale mean |W| [1, F]."""
        return coded(sign(latent), per_filter_mean(latent.abs()).view(1, -1), self.bits)
