"""Full precision: the weight as it is."""

import torch

from robench.quantizers import register
from robench.quantizers.base import LowBit, Quantizer


@register("fp")
class FullPrecision(Quantizer):
    """w = W, 32 bits: the twin of every low-bit model."""

    bits = 32

    def lowbit(self, latent: torch.Tensor) -> LowBit | None:
        """Nothing is coded."""
        return None
