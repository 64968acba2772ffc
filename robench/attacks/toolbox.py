"""What gradient attacks share: the loss gradient, steps and projections of a norm."""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import NamedTuple

import torch
from torch import nn

from robench.attacks import Budget, Function, ImageStreams
from robench.attacks.losses import SMALLEST, Loss, ce, misclassification_margin
from robench.core.errors import RobenchError
from robench.core.types import Value
from robench.engine.blocked import Blocked

SLACK = 1e-6
"""Float32 rounds pixels near 1 by 6e-8, and sums of L2 by more: within this, a perturbation counts as in the budget."""


class Evaluation(NamedTuple):
    """What a model says of images.

    Attributes:
        gradient, loss: of the loss, [N, C, H, W] and [N].
        margin: positive for a wrong image [N].
        fooled: which images are surely wrong [N], whatever the rounding of the arithmetic.
    """

    gradient: torch.Tensor
    loss: torch.Tensor
    margin: torch.Tensor
    fooled: torch.Tensor


def loss_and_gradient(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Loss = ce, *targets: torch.Tensor
) -> Evaluation:
    """One forward and one backward pass at images ``x``; ``targets`` are the loss's, if it is a targeted one.

    A model that computes in blocks is asked block by block, so that memory does not grow with the batch.

    Raises:
        RobenchError: the model passes no gradient.
    """
    if not isinstance(model, Blocked):
        return _evaluate(model, model, loss, x, y, *targets)
    points = model.over_blocks(partial(_evaluate, model, model.one_block, loss), x, y, *targets)
    return Evaluation(*map(torch.cat, zip(*points, strict=True)))


def _evaluate(
    model: nn.Module,
    forward: Callable[[torch.Tensor], torch.Tensor],
    loss: Loss,
    x: torch.Tensor,
    y: torch.Tensor,
    *targets: torch.Tensor,
) -> Evaluation:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = forward(x)
        if not logits.requires_grad:
            raise RobenchError("the model passes no gradient to its input, so gradient attacks cannot run on it.")
        values = loss(logits, y, *targets)
        (gradient,) = torch.autograd.grad(values.sum(), x)
    logits = logits.detach()
    gap = misclassification_margin(logits, y)
    return Evaluation(gradient, values.detach(), gap, gap > rounding(model, logits))


def rounding(model: nn.Module, logits: torch.Tensor) -> torch.Tensor:
    """How far margins [N] may be off by the model's arithmetic (its ``slack``, a share of the largest logit)."""
    slack: float = getattr(model, "slack", 0.0)
    return slack * logits.abs().amax(1)


def fooled(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Which images [N] are wrong."""
    return exact_margin(model, x, y) > 0


def exact_margin(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The margin [N] by a forward pass that is exact where the model has an exact one; positive for a wrong image."""
    with torch.no_grad():
        value = misclassification_margin(without_rounding(model)(x), y)
    return value.clone()  # one that may be changed in place


def without_rounding(model: nn.Module) -> nn.Module:
    """The exact form of a model of low precision, else the model as it is."""
    return (model.exact or model) if isinstance(model, Blocked) else model


def undecided(model: Blocked, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Which perturbed images [N] might fool the model had its low precision not misled the attack.

    Either the low-precision model takes them for fooled, so that the attack stopped too early, or in float32 they are
    as near to the decision as its rounding reaches.
    """
    if model.exact is None:
        return torch.zeros_like(y, dtype=torch.bool)
    with torch.no_grad():
        logits = model.exact(x)
        gap = misclassification_margin(logits, y)
        near = gap > -rounding(model, logits)
        rough = model(x)
        taken_for_wrong = misclassification_margin(rough, y) > rounding(model, rough)
        return ((near | taken_for_wrong) & (gap <= 0)).clone()


def recheck_in_float32(attack: Function) -> Function:
    """Decorator: images whose outcome rounding could have changed are attacked again with float32 gradients.

    Of the two perturbed images the one with the larger margin in float32 is kept.
    """

    @wraps(attack)
    def run(
        model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, **params: Value
    ) -> torch.Tensor:
        result: torch.Tensor = attack(model, x, y, budget, rng, **params)
        if not isinstance(model, Blocked):
            return result
        again = undecided(model, result, y).nonzero()[:, 0]
        if len(again):
            tried = attack(without_rounding(model), x[again], y[again], budget.of(again), rng.of(again), **params)
            better = exact_margin(model, tried, y[again]) > exact_margin(model, result[again], y[again])
            result[again[better]] = tried[better]
        return result

    return run


class BestSoFar:
    """For each image the attempt of the largest exact margin, up to the first that fools; the clean image before any.

    Attributes:
        result: those images, [N, C, H, W].
        best: their margins [N].
    """

    def __init__(self, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
        self.model, self.y = model, y
        self.result, self.best = x.clone(), torch.full_like(y, -torch.inf, dtype=x.dtype)

    def robust(self) -> torch.Tensor:
        """The indices of the images that no attempt has fooled."""
        return (~(self.best > 0)).nonzero()[:, 0]

    def offer(self, chosen: torch.Tensor, tried: torch.Tensor) -> None:
        """Attempts at some images in turn: ``chosen`` are indices [M], ``tried`` is [attempts * M, C, H, W]."""
        value = exact_margin(self.model, tried, self.y[chosen].repeat(len(tried) // len(chosen)))
        for images, margins in zip(tried.split(len(chosen)), value.split(len(chosen)), strict=True):
            better = (margins > self.best[chosen]) & ~(self.best[chosen] > 0)
            self.result[chosen[better]], self.best[chosen[better]] = images[better], margins[better]


def cascade(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    attacks: Iterable[Function],
) -> torch.Tensor:
    """Whole attacks in turn, each from the clean image on what is still robust, with the same budget and streams."""
    best_so_far = BestSoFar(model, x, y)
    for attack in attacks:
        active = best_so_far.robust()
        if not len(active):
            break
        best_so_far.offer(active, attack(model, x[active], y[active], budget.of(active), rng.of(active)))
    return best_so_far.result


def per_image(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """[N] -> [N, 1, 1, ...], to be broadcast over ``like``."""
    return values.view(-1, *[1] * (like.dim() - 1))


def size(delta: torch.Tensor, norm: str) -> torch.Tensor:
    """The norm of each image's perturbation: [N, ...] -> [N]."""
    flat = delta.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.square().sum(1).sqrt()


def slope(gradient: torch.Tensor, norm: str) -> torch.Tensor:
    """How fast the loss grows in its steepest direction: the dual norm of each image's gradient, [N, ...] -> [N]."""
    return gradient.flatten(1).norm(p=1 if norm == "linf" else 2, dim=1).clamp(min=SMALLEST)


def steepest(gradient: torch.Tensor, norm: str) -> torch.Tensor:
    """The direction of size 1 in which the loss grows most: the sign in Linf, the unit gradient in L2."""
    if norm == "linf":
        return gradient.sign()
    return gradient / per_image(size(gradient, norm).clamp(min=SMALLEST), gradient)


def project(x: torch.Tensor, origin: torch.Tensor, budget: Budget) -> torch.Tensor:
    """The nearest images to ``x`` that are within the budget around ``origin`` and then in [0, 1]."""
    delta = x - origin
    if budget.norm == "linf":
        delta.clamp_(-budget.radius, budget.radius)
    else:
        delta *= per_image((budget.epsilon / size(delta, "l2").clamp(min=SMALLEST)).clamp(max=1), delta)
    return delta.add_(origin).clamp_(0, 1)
