"""Fast gradient sign method (Goodfellow, Shlens, Szegedy 2015, arXiv:1412.6572)."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.gradient import loss_gradient, project, steepest


@register("fgsm")
def fgsm(model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams) -> torch.Tensor:
    """One step of the full budget along the sign of the loss gradient (in L2: along the gradient)."""
    gradient, _ = loss_gradient(model, x, y)
    return project(x + budget.epsilon * steepest(gradient, budget.norm), x, budget)
