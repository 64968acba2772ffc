"""BinaryConnect (Courbariaux, Bengio, David 2015, arXiv:1511.00363), the deterministic form."""

import torch

from robench.quantizers import register
from robench.quantizers.base import LowBit, Quantizer, glorot_bound


def sign(weight: torch.Tensor) -> torch.Tensor:
    """-1 where negative, else +1 (so that a binary weight is never 0), int8."""
    return torch.where(weight < 0, -1, 1).to(torch.int8)


@register("bc")
class BinaryConnect(Quantizer):
    """w = H sgn(W), one constant H a layer; straight-through; W is clipped to [-H, H] after each step.

    H is the layer's Glorot bound, sqrt(1.5 / (fan_in + fan_out)), as in the authors' code: with batch norm behind
    the layer its size does not change the function, only how fast signs flip.
    """

    bits = 1

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__(weight)
        self.bound = glorot_bound(weight)

    def lowbit(self, latent: torch.Tensor) -> LowBit:
        """Codes sgn(W), scale H [1, 1]."""
        return LowBit(sign(latent), torch.full((1, 1), self.bound), self.bits)
