"""Full precision: the weight as it is."""

import torch

from robench.quantizers import register
from robench.quantizers.base import Quantizer
from robench.quantizers.stored import StoredWeight, stored_float


@register("fp")
class FullPrecision(Quantizer):
    """w = W, 32 bits: the twin of every low-bit model."""

    bits = 32

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """The weight as it is."""
        return stored_float(latent)

    def quantize(self, latent: torch.Tensor) -> torch.Tensor:
        """The weight as it is."""
        return latent
