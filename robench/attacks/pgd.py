"""Projected gradient descent (Madry et al. 2018, arXiv:1706.06083)."""

import math

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.gradient import careful, look, project, steepest
from robench.attacks.losses import named
from robench.attacks.outlook import Outlook
from robench.core.errors import RobenchError


@register("pgd")
@careful
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
    loss: str = "ce",
) -> torch.Tensor:
    """Repeated steps along the loss gradient, each followed by a projection onto the budget.

    An image stops at its first iterate that is surely wrong, which is its result, or where it is out of reach.

    Args:
        steps: gradient steps.
        relative_step: size of a step is ``relative_step * epsilon / steps``.
        random_start: begin at a uniform point of the budget (Linf: of the cube) instead of the clean image.
        loss: ce, ce_scaled, dlr or margin.

    Raises:
        RobenchError: ``relative_step`` is not positive.
    """
    if not relative_step > 0:
        raise RobenchError(f"the relative_step of pgd must be positive, not {relative_step}.")
    step = relative_step * budget.radius / steps
    result = project(x + budget.radius * rng.uniform(x), x, budget) if random_start else x.clone()
    active = torch.arange(len(x), device=x.device)
    crossing = math.ceil(steps / relative_step)  # steps that reach as far as the budget
    outlook = Outlook(model, y, steps, math.ceil(crossing / 2))
    for done in range(steps):
        point = look(model, result[active], y[active], named(loss))
        going = ~(point.fallen | outlook.hopeless(active, point.margin, done))
        active = active[going]
        if not len(active):
            break
        moved = result[active] + step[active] * steepest(point.gradient[going], budget.norm)
        result[active] = project(moved, x[active], budget.of(active))
    return result
