"""Auto-PGD (Croce and Hein 2020, arXiv:2003.01690): a step size that follows the progress of the loss."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.early_stopping import EarlyStopping
from robench.attacks.losses import SMALLEST, Loss, dlr_targeted, gap, named
from robench.attacks.toolbox import (
    BestSoFar,
    loss_and_gradient,
    per_image,
    project,
    recheck_in_float32,
    size,
    slope,
    steepest,
)
from robench.core.errors import RobenchError
from robench.engine.blocked import capacity

MOMENTUM = 0.75
CANDIDATES = 100
"""Classes whose distances are looked at (MALT)."""
WINDOW = 10
"""Steps of an image after which its progress is judged (see EarlyStopping)."""


@register("apgd")
@recheck_in_float32
def apgd(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    steps: int = 100,
    rho: float = 0.75,
    loss: str = "ce",
) -> torch.Tensor:
    """APGD-CE, or with ``loss="dlr"`` APGD-DLR; the defaults are AutoAttack's.

    Args:
        steps: gradient steps.
        rho: share of the steps between two checkpoints that must raise the loss, or the step size is halved.
        loss: ce, ce_scaled, hns, dlr, margin or pma.
    """
    return ascend(model, x, (y,), budget, rng.uniform(x), named(loss), steps, rho)


@register("apgd_targeted")
@recheck_in_float32
def apgd_targeted(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    steps: int = 100,
    rho: float = 0.75,
    targets: int = 9,
    choose: str = "logits",
) -> torch.Tensor:
    """APGD-T: the targeted DLR loss towards each of the most promising classes in turn, on what is still robust.

    Where few images are left, several classes are tried at once; of those that fool the model the first counts.

    Args:
        steps, rho: as for apgd.
        targets: how many classes.
        choose: the classes of the largest logits (``logits``), or those that a linear model of the logits says are
            nearest (``malt``; Melamed et al. 2024, arXiv:2407.02240), of the hundred of the largest logits.
    """
    classes = _classes(model, x, y, budget.norm, choose)
    best_so_far, rank, count = BestSoFar(model, x, y), 0, min(targets, classes.shape[1])
    while rank < count and len(active := best_so_far.robust()):
        ranks = range(rank, min(rank + max(capacity(model) // len(active), 1), count))
        many = active.repeat(len(ranks))
        labels = (y[many], classes[active][:, ranks.start : ranks.stop].T.flatten())
        start = torch.cat([rng.of(active).uniform(x) for _ in ranks])
        best_so_far.offer(active, ascend(model, x[many], labels, budget.of(many), start, dlr_targeted, steps, rho))
        rank = ranks.stop
    return best_so_far.result


def _classes(model: nn.Module, x: torch.Tensor, y: torch.Tensor, norm: str, choose: str) -> torch.Tensor:
    """Classes other than the labels, the most promising first, int64 [N, M]."""
    with torch.no_grad():
        ordered = model(x).scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)[:, :-1]
    if choose == "logits":
        return ordered
    if choose != "malt":
        raise RobenchError(f"choose of the attack apgd_targeted must be logits or malt, not {choose!r}.")
    candidates = ordered[:, :CANDIDATES].clone()
    distances = []
    for rank in range(candidates.shape[1]):
        point = loss_and_gradient(model, x, y, gap, candidates[:, rank])
        distances.append(-point.loss / slope(point.gradient, norm))
    return candidates.gather(1, torch.stack(distances, 1).argsort(1))


def windows(steps: int) -> list[int]:
    """Steps between two checkpoints: 0.22 of all, then each 0.03 of all fewer, but no less than 0.06 of all."""
    shrink, least = (max(int(share * steps), 1) for share in (0.03, 0.06))
    found = [max(int(0.22 * steps), 1)]
    while sum(found) < steps:
        found.append(min(max(found[-1] - shrink, least), steps - sum(found)))
    return found


def ascend(
    model: nn.Module,
    x: torch.Tensor,
    labels: tuple[torch.Tensor, ...],
    budget: Budget,
    noise: torch.Tensor,
    loss: Loss,
    steps: int,
    rho: float,
) -> torch.Tensor:
    """Maximise ``loss`` within the budget; each image stops where it is surely wrong, or stopped early.

    Args:
        labels: (y,) or, for a targeted loss, (y, target), each [N].
        noise: uniform in [-1, 1), scaled to the surface of the budget for the start.

    Returns:
        For an image that fooled the model that iterate, else the one of the largest loss.
    """
    unit = noise / per_image(size(noise, budget.norm).clamp(min=SMALLEST), noise)
    result = project(x + budget.radius * unit, x, budget)
    climb = _ApgdState(model, x, labels, budget, result.clone(), loss)
    active, done = torch.arange(len(x), device=x.device), 0
    stopping = EarlyStopping(model, labels[0], steps, WINDOW)
    for window in windows(steps):
        for _ in range(window):
            over = climb.fooled | stopping.should_stop(active, climb.margin, done)
            result[active[over]] = climb.found()[over]
            active = active[~over]
            if not len(active):
                return result
            climb.keep(~over)
            climb.step()
            done += 1
        climb.adapt(window, rho)
    result[active] = climb.found()
    return result


class _ApgdState:
    """The images that do not fool the model yet, each with its own step size, momentum and best point."""

    def __init__(
        self,
        model: nn.Module,
        x: torch.Tensor,
        labels: tuple[torch.Tensor, ...],
        budget: Budget,
        start: torch.Tensor,
        loss: Loss,
    ) -> None:
        self.model, self.budget, self.loss = model, budget, loss
        self.x, self.labels = x, labels
        self.current = self.previous = self.best = start
        self._evaluate()
        self.best_gradient, self.best_value = self.gradient, self.value
        self.checked_value = self.value
        self.rate = 2 * budget.epsilon
        self.rises = torch.zeros_like(self.value)
        self.halved = torch.ones_like(self.fooled)
        self.momentum = 1.0

    def _evaluate(self) -> None:
        y, *targets = self.labels
        point = loss_and_gradient(self.model, self.current, y, self.loss, *targets)
        self.gradient, self.value, self.margin, self.fooled = point

    def keep(self, chosen: torch.Tensor) -> None:
        """Forget the images that are not ``chosen`` [N]."""
        if chosen.all():
            return
        for name, state in vars(self).items():
            if isinstance(state, torch.Tensor):
                setattr(self, name, state[chosen])
        self.labels = tuple(label[chosen] for label in self.labels)
        self.budget = self.budget.of(chosen)

    def found(self) -> torch.Tensor:
        """Of images that fool the model the current point, of the others their best."""
        return torch.where(per_image(self.fooled, self.x), self.current, self.best)

    def step(self) -> None:
        """One step with momentum (none in the first), and the loss where it led."""
        move = steepest(self.gradient, self.budget.norm) * per_image(self.rate, self.x)
        target = project(self.current + move, self.x, self.budget)
        drift = (1 - self.momentum) * (self.current - self.previous)
        moved = self.current + self.momentum * (target - self.current) + drift
        self.previous, self.current = self.current, project(moved, self.x, self.budget)
        self.momentum = MOMENTUM
        before = self.value
        self._evaluate()
        self.rises = self.rises + (self.value > before)
        better = self.value > self.best_value
        self.best = torch.where(per_image(better, self.x), self.current, self.best)
        self.best_gradient = torch.where(per_image(better, self.x), self.gradient, self.best_gradient)
        self.best_value = torch.where(better, self.value, self.best_value)

    def adapt(self, window: int, rho: float) -> None:
        """Halve the step, and go back to the best point, where the loss rose too seldom or its best stands still."""
        stuck = ~self.halved & (self.best_value <= self.checked_value)
        halve = (self.rises <= rho * window) | stuck
        self.halved, self.checked_value = halve, self.best_value
        self.rises = torch.zeros_like(self.rises)
        self.rate = torch.where(halve, self.rate / 2, self.rate)
        self.current = torch.where(per_image(halve & ~self.fooled, self.x), self.best, self.current)
        self.gradient = torch.where(per_image(halve, self.x), self.best_gradient, self.gradient)
