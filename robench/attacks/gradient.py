"""What gradient attacks share: the loss gradient, steps and projections of a norm."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from robench.attacks import Budget
from robench.core.errors import RobenchError


def loss_gradient(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of each image's cross-entropy by its pixels [N, C, H, W], and the logits [N, classes]."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = model(x)
        if not logits.requires_grad:
            raise RobenchError("the model passes no gradient to its input, so gradient attacks cannot run on it.")
        (gradient,) = torch.autograd.grad(cross_entropy(logits, y, reduction="sum"), x)
    return gradient, logits.detach()


def per_image(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """[N] -> [N, 1, 1, ...], to be broadcast over ``like``."""
    return values.view(-1, *[1] * (like.dim() - 1))


def size(delta: torch.Tensor, norm: str) -> torch.Tensor:
    """The norm of each image's perturbation: [N, ...] -> [N]."""
    flat = delta.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.square().sum(1).sqrt()


def steepest(gradient: torch.Tensor, norm: str) -> torch.Tensor:
    """The direction of size 1 in which the loss grows most: the sign in Linf, the unit gradient in L2."""
    if norm == "linf":
        return gradient.sign()
    return gradient / per_image(size(gradient, norm).clamp(min=1e-12), gradient)


def project(x: torch.Tensor, origin: torch.Tensor, budget: Budget) -> torch.Tensor:
    """The nearest images to ``x`` that are within the budget around ``origin`` and then in [0, 1]."""
    delta = x - origin
    if budget.norm == "linf":
        delta = delta.clamp(-budget.epsilon, budget.epsilon)
    else:
        delta = delta * per_image((budget.epsilon / size(delta, "l2").clamp(min=1e-12)).clamp(max=1), delta)
    return (origin + delta).clamp(0, 1)
