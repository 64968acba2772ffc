"""Projected gradient descent (Madry et al. 2018, arXiv:1706.06083)."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.gradient import loss_gradient, project, steepest


@register("pgd")
def pgd(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    steps: int = 20,
    relative_step: float = 2.5,
    random_start: bool = True,
) -> torch.Tensor:
    """Repeated steps along the loss gradient, each followed by a projection onto the budget.

    An image stops at its first wrong prediction; that iterate is its result, so that it counts as fallen if any
    iterate fooled the model.

    Args:
        steps: gradient steps.
        relative_step: size of a step is ``relative_step * epsilon / steps``.
        random_start: begin at a uniform point of the budget (Linf: of the cube) instead of the clean image.
    """
    step = relative_step * budget.epsilon / steps
    result = project(x + budget.epsilon * rng.uniform(x), x, budget) if random_start else x.clone()
    active = torch.arange(len(x), device=x.device)
    for _ in range(steps):
        current, origin = result[active], x[active]
        gradient, logits = loss_gradient(model, current, y[active])
        standing = logits.argmax(1) == y[active]
        active = active[standing]
        if not len(active):
            break
        moved = current[standing] + step * steepest(gradient[standing], budget.norm)
        result[active] = project(moved, origin[standing], budget)
    return result
