"""BinaryConnect (Courbariaux, Bengio, David 2015, arXiv:1511.00363), the deterministic form."""

import torch

from robench.quantizers import register
from robench.quantizers.base import Quantizer
from robench.quantizers.stored import StoredWeight, coded


def sign(weight: torch.Tensor) -> torch.Tensor:
    """-1 where negative, else +1 (so that a binary weight is never 0), int8."""
    return torch.where(weight < 0, -1, 1).to(torch.int8)


@register("bc")
class BinaryConnect(Quantizer):
    """w = sgn(W), straight-through; W is clipped to [-1, 1] after each step.

    With batch norm behind the layer the size of w does not change the function, and that of the clip decides how fast
    signs flip: the paper's 1 suits weights of that order, such as orthogonalised steps (Muon) leave.
    """

    bits = 1

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__(weight)
        self.bound = 1.0

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """Codes sgn(W), scale 1 [1, 1]."""
        return coded(sign(latent), torch.ones(1, 1, device=latent.device), self.bits)
