"""Fast gradient sign method (Goodfellow, Shlens, Szegedy 2015, arXiv:1412.6572)."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.losses import named
from robench.attacks.toolbox import loss_and_gradient, project, steepest, without_rounding


@register("fgsm", single_step=True)
def fgsm(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, *, loss: str = "ce"
) -> torch.Tensor:
    """One step of the full budget along the sign of the loss gradient (in L2: along the gradient).

    Args:
        loss: ce, dlr or margin.
    """
    gradient = loss_and_gradient(without_rounding(model), x, y, named(loss)).gradient
    return project(x + budget.radius * steepest(gradient, budget.norm), x, budget)
