"""Trained Ternary Quantization (Zhu, Han, Mao, Dally 2016, arXiv:1612.01064)."""

import torch
from torch import nn

from robench.quantizers import register
from robench.quantizers.base import Quantizer
from robench.quantizers.stored import StoredWeight, coded
from robench.quantizers.twn import ternary_codes

THRESHOLD = 0.05
SMALLEST_SCALE = 1e-4


@register("ttq")
class TrainedTernaryQuantization(Quantizer):
    """w in {-W_n, 0, +W_p}, both magnitudes learned per layer; threshold 0.05 max |W|.

    Gradients with g = dL/dw: W_p gets the sum of g over the positive codes, W_n minus the sum over the negative
    ones, the latent weight W_p g, g and W_n g on the positive, zero and negative codes.
    """

    bits = 2

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__(weight)
        self.scale = nn.Parameter(torch.empty(2))
        self.restart(weight)

    @torch.no_grad()
    def restart(self, latent: torch.Tensor) -> None:
        """Start W_n and W_p from the mean magnitude of each sign."""
        codes = self._codes(latent)
        means = [latent[codes == sign].abs().mean() for sign in (-1, 1)]
        self.scale.copy_(torch.stack(means).nan_to_num(SMALLEST_SCALE).clamp(min=SMALLEST_SCALE))

    def _codes(self, latent: torch.Tensor) -> torch.Tensor:
        return ternary_codes(latent, THRESHOLD * latent.abs().max())

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """Codes by the threshold, scale (W_n, W_p) [2, 1]."""
        return coded(self._codes(latent), self.scale.detach().view(2, 1), self.bits)

    def quantize(self, latent: torch.Tensor) -> torch.Tensor:
        """The ternary weight; the extra term is zero in value and carries the latent weight's scaled gradient."""
        codes = self._codes(latent.detach())
        negative, positive = (codes < 0) * self.scale[0], (codes > 0) * self.scale[1]
        latent_factor = (negative + positive + (codes == 0)).detach()
        return positive - negative + latent_factor * (latent - latent.detach())

    @torch.no_grad()
    def after_step(self, latent: torch.Tensor) -> None:
        """Keep both magnitudes positive."""
        super().after_step(latent)
        self.scale.clamp_(min=SMALLEST_SCALE)
