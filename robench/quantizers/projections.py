"""The projections of weights in training (Merolla et al. 2016, arXiv:1606.01981), with a = max |W| of the tensor.

Loss and gradient are taken at the projection, and the step is made on the latent weight, which is what is deployed: the
question of that study is how a network trained at Proj(W) works with W, or with W under another distortion. The paper's
text could not be had: the definitions are our reading of its names.
"""

from abc import abstractmethod

import torch

from robench.quantizers import register
from robench.quantizers.base import Quantizer
from robench.quantizers.stored import StoredWeight, stored_float

POWER = 0.5
SPREAD = 3.0


def largest(weight: torch.Tensor) -> torch.Tensor:
    """a = max |W|, kept above 0."""
    return weight.abs().max().clamp(min=1e-12)


class Projection(Quantizer):
    """A layer that computes with a projection of its weight while it trains, and with the weight when deployed."""

    bits = 32

    def store(self, latent: torch.Tensor) -> StoredWeight:
        """The weight as it is."""
        return stored_float(latent)

    @abstractmethod
    def project(self, latent: torch.Tensor) -> torch.Tensor:
        """The weight at which loss and gradient are taken."""

    def quantize(self, latent: torch.Tensor) -> torch.Tensor:
        """The projected weight, with a gradient for the latent one."""
        return self.project(latent.detach()) + (latent - latent.detach()) if self.training else latent


@register("tr_sign")
class SignProjection(Projection):
    """a sgn(W)."""

    def project(self, latent: torch.Tensor) -> torch.Tensor:
        """Both signs at the layer's largest magnitude."""
        return largest(latent) * latent.sign()


@register("tr_round")
class RoundProjection(Projection):
    """a round(W / a): ternary, with threshold a / 2."""

    def project(self, latent: torch.Tensor) -> torch.Tensor:
        """The nearest of -a, 0 and a."""
        bound = largest(latent)
        return bound * (latent / bound).round()


@register("tr_power")
class PowerProjection(Projection):
    """a sgn(W) |W / a|^(1/2): halfway, on a scale of powers, between the weight itself and its sign."""

    def project(self, latent: torch.Tensor) -> torch.Tensor:
        """Magnitudes are drawn towards the largest one."""
        bound = largest(latent)
        return bound * latent.sign() * (latent.abs() / bound) ** POWER


@register("tr_stochm3")
class StochasticMultiplication(Projection):
    """W u, each u uniform in [1/3, 3] and drawn anew in each step: our reading of StochM3, undefined in any source."""

    def project(self, latent: torch.Tensor) -> torch.Tensor:
        """Each weight is multiplied by a factor of its own."""
        return latent * torch.empty_like(latent).uniform_(1 / SPREAD, SPREAD)
