"""Fast gradient sign method (Goodfellow, Shlens, Szegedy 2015, arXiv:1412.6572)."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.losses import named
from robench.attacks.toolbox import loss_and_gradient, project, steepest, without_rounding


def direction(model: nn.Module, x: torch.Tensor, y: torch.Tensor, norm: str, *, loss: str = "ce") -> torch.Tensor:
    """Where the loss grows most: the sign of its gradient in Linf, its unit gradient in L2."""
    return steepest(loss_and_gradient(without_rounding(model), x, y, named(loss)).gradient, norm)


@register("fgsm", single_step=True, direction=direction)
def fgsm(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, *, loss: str = "ce"
) -> torch.Tensor:
    """One step of the full budget along the sign of the loss gradient (in L2: along the gradient).

    Args:
        loss: ce, dlr or margin.
    """
    return project(x + budget.radius * direction(model, x, y, budget.norm, loss=loss), x, budget)
