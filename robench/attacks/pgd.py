"""Projected gradient descent (Madry et al. 2018, arXiv:1706.06083)."""

import math

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.early_stopping import EarlyStopping
from robench.attacks.losses import Loss, named
from robench.attacks.toolbox import loss_and_gradient, project, recheck_in_float32, steepest
from robench.core.errors import RobenchError
from robench.core.types import Value

RESUMED_STEPS = 5
RESUMED_SHARE = 0.5


def resumed(
    model: nn.Module,
    start: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    *,
    loss: str = "ce",
    **_: Value,
) -> torch.Tensor:
    """Five steps of half a budget from ``start``.

    On CIFAR-10's fp_resnet20 (500 images, six epsilons) they fooled 121 of 126 images that PGD-20 fools from the clean
    image at an epsilon twice as large as the one at which they stood, and 3 of 33 that it does not.

    Args:
        loss: as in pgd, whose other settings play no part.
    """
    stopping = EarlyStopping(model, y, RESUMED_STEPS, RESUMED_STEPS)
    return _ascend(model, start, x, y, budget, RESUMED_SHARE, named(loss), stopping)


@register("pgd", resume=resumed)
@recheck_in_float32
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

    An image stops at its first iterate that is surely wrong, which is its result, or early.

    Args:
        steps: gradient steps.
        relative_step: size of a step is ``relative_step * epsilon / steps``.
        random_start: begin at a uniform point of the budget (Linf: of the cube) instead of the clean image.
        loss: ce, ce_scaled, hns, dlr, margin or pma.

    Raises:
        RobenchError: ``relative_step`` is not positive.
    """
    if not relative_step > 0:
        raise RobenchError(f"the relative_step of pgd must be positive, not {relative_step}.")
    start = project(x + budget.radius * rng.uniform(x), x, budget) if random_start else x
    crossing = math.ceil(steps / relative_step)  # steps that reach as far as the budget
    stopping = EarlyStopping(model, y, steps, math.ceil(crossing / 2))
    return _ascend(model, start, x, y, budget, relative_step / steps, named(loss), stopping)


def _ascend(
    model: nn.Module,
    start: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    share: float,
    loss: Loss,
    stopping: EarlyStopping,
) -> torch.Tensor:
    """The steps of ``stopping``, each a ``share`` of the budget; an image stops where it is wrong, or early."""
    result = start.clone()
    active = torch.arange(len(x), device=x.device)
    step = share * budget.radius
    for done in range(stopping.steps):
        point = loss_and_gradient(model, result[active], y[active], loss)
        going = ~(point.fooled | stopping.should_stop(active, point.margin, done))
        active = active[going]
        if not len(active):
            break
        moved = steepest(point.gradient[going], budget.norm).mul_(step[active]).add_(result[active])
        result[active] = project(moved, x[active], budget.of(active))
    return result
