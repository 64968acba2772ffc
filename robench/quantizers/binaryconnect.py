"""BinaryConnect (Courbariaux, Bengio, David 2015, arXiv:1511.00363), the deterministic form."""

import torch

from robench.quantizers import register
from robench.quantizers.base import LowBit, Quantizer


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
    bound: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__(weight)
        receptive_field = weight[0, 0].numel()
        fans = receptive_field * (weight.shape[0] + weight.shape[1])
        self.register_buffer("bound", torch.tensor((1.5 / fans) ** 0.5))

    def lowbit(self, latent: torch.Tensor) -> LowBit:
        """Codes sgn(W), scale H [1, 1]."""
        return LowBit(sign(latent), self.bound.view(1, 1), self.bits)

    @torch.no_grad()
    def after_step(self, latent: torch.Tensor) -> None:
        """Clip W to [-H, H]."""
        latent.clamp_(-self.bound, self.bound)
