"""Fast minimum-norm attack (FMN; Pintor et al. 2021, arXiv:2102.12827): along the boundary to its nearest point."""

import math

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.losses import misclassification_margin
from robench.attacks.toolbox import loss_and_gradient, per_image, project, size, slope, steepest, without_rounding

STEP, LAST_STEP = 1.0, 0.01
"""Step sizes in L2, on the [0, 1] pixel scale, from the first step to the last."""
SHRINK, LAST_SHRINK = 0.05, 0.001
"""By which share the ball shrinks while its image fools, and grows while it does not."""


@register("fmn", minimal=True)
def fmn(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, *, steps: int = 100
) -> torch.Tensor:
    """Steps along the margin's gradient in a ball that shrinks where its image fools, and grows where it does not.

    The ball is never larger than the budget. Gradients are in float32: the nearest points have margins that low
    precision cannot tell.

    Args:
        steps: gradient steps.

    Returns:
        The smallest perturbation that fooled; of an image that none did the one of the largest margin.
    """
    walk = _Walk(without_rounding(model), x, y, budget)
    for done in range(steps):
        walk.step(_decay(STEP, LAST_STEP, done, steps), _decay(SHRINK, LAST_SHRINK, done, steps))
    return walk.finish()


def _decay(first: float, last: float, done: int, steps: int) -> float:
    """Along a cosine from the first to the last."""
    return last + (first - last) * (1 + math.cos(math.pi * done / steps)) / 2


class _Walk:
    """The current point of each image, its ball, and the best that was found."""

    def __init__(self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget) -> None:
        self.model, self.x, self.y, self.budget = model, x, y, budget
        self.current, self.best = x.clone(), x.clone()
        self.smallest = torch.full_like(budget.epsilon, torch.inf)
        self.largest_margin = torch.full_like(budget.epsilon, -torch.inf)
        self.radius = torch.full_like(budget.epsilon, torch.inf)

    def step(self, length: float, shrink: float) -> None:
        """Judge the current point, fit the ball, and take one step inside of it."""
        point = loss_and_gradient(self.model, self.current, self.y, misclassification_margin)
        self._keep(point.margin)
        self._fit(point.margin, point.gradient, shrink)
        direction = steepest(point.gradient, "l2")
        ball = Budget(self.budget.norm, torch.minimum(self.radius, self.budget.epsilon))
        self.current = project(self.current + length * direction, self.x, ball)

    def _keep(self, margin: torch.Tensor) -> None:
        """The smallest point that fools, and before there is one that of the largest margin."""
        distance = size(self.current - self.x, self.budget.norm)
        nearer = (margin > 0) & (distance < self.smallest)
        better = self.smallest.isinf() & ~(margin <= self.largest_margin)
        self.best = torch.where(per_image(nearer | better, self.x), self.current, self.best)
        self.smallest = torch.where(nearer, distance, self.smallest)
        self.largest_margin = torch.maximum(self.largest_margin, margin)

    def _fit(self, margin: torch.Tensor, gradient: torch.Tensor, shrink: float) -> None:
        """The radius of the ball: by a linear model until something fools, then smaller and larger by turns."""
        linear = size(self.current - self.x, self.budget.norm) - margin / slope(gradient, self.budget.norm)
        outside = torch.where(self.smallest.isinf(), linear, self.radius * (1 + shrink))
        inside = torch.minimum(self.radius * (1 - shrink), self.smallest)
        self.radius = torch.where(margin > 0, inside, outside)

    def finish(self) -> torch.Tensor:
        """The best point, the last one included."""
        with torch.no_grad():
            self._keep(misclassification_margin(self.model(self.current), self.y))
        return self.best
