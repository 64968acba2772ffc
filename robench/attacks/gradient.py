"""What gradient attacks share: the loss gradient, steps and projections of a norm."""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import NamedTuple

import torch
from torch import nn

from robench.attacks import Attack, Budget, ImageStreams
from robench.attacks.losses import Loss, ce, margin
from robench.core.errors import RobenchError
from robench.core.types import Value
from robench.models.blocked import Blocked


class Point(NamedTuple):
    """What a model says of images.

    Attributes:
        gradient, loss: of the loss, [N, C, H, W] and [N].
        margin: positive for a wrong image [N].
        fallen: which images are surely wrong [N].
    """

    gradient: torch.Tensor
    loss: torch.Tensor
    margin: torch.Tensor
    fallen: torch.Tensor


def look(model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Loss = ce, *targets: torch.Tensor) -> Point:
    """One forward and one backward pass at images ``x``; ``targets`` are the loss's, if it is a targeted one.

    A model that computes in blocks is asked block by block, so that memory does not grow with the batch.

    Raises:
        RobenchError: the model passes no gradient.
    """
    if not isinstance(model, Blocked):
        return _look(model, model, loss, x, y, *targets)
    points = model.over_blocks(partial(_look, model, model.one_block, loss), x, y, *targets)
    return Point(*map(torch.cat, zip(*points, strict=True)))


def _look(
    model: nn.Module,
    forward: Callable[[torch.Tensor], torch.Tensor],
    loss: Loss,
    x: torch.Tensor,
    y: torch.Tensor,
    *targets: torch.Tensor,
) -> Point:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = forward(x)
        if not logits.requires_grad:
            raise RobenchError("the model passes no gradient to its input, so gradient attacks cannot run on it.")
        values = loss(logits, y, *targets)
        (gradient,) = torch.autograd.grad(values.sum(), x)
    logits = logits.detach()
    gap = margin(logits, y)
    return Point(gradient, values.detach(), gap, gap > rounding(model, logits))


def rounding(model: nn.Module, logits: torch.Tensor) -> torch.Tensor:
    """How far margins [N] may be off by the model's arithmetic (its ``slack``, a share of the largest logit)."""
    slack: float = getattr(model, "slack", 0.0)
    return slack * logits.abs().amax(1)


def fooled(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Which images [N] are wrong."""
    return exact_margin(model, x, y) > 0


def exact_margin(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The margin [N] by a forward pass that is exact where the model has an exact one; positive for a wrong image."""
    with torch.inference_mode():
        return margin(without_rounding(model)(x), y).clone()


def without_rounding(model: nn.Module) -> nn.Module:
    """The exact form of a model of low precision, else the model as it is."""
    return (model.exact or model) if isinstance(model, Blocked) else model


def undecided(model: Blocked, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Which images [N] a model of low precision may have kept from falling.

    They are right, and it takes them for wrong, so that an attack stopped too early, or an exact pass finds them as
    near to being wrong as the model's rounding reaches.
    """
    if model.exact is None:
        return torch.zeros_like(y, dtype=torch.bool)
    with torch.inference_mode():
        logits = model.exact(x)
        gap = margin(logits, y)
        near = gap > -rounding(model, logits)
        rough = model(x)
        taken_for_wrong = margin(rough, y) > rounding(model, rough)
        return ((near | taken_for_wrong) & (gap <= 0)).clone()


def careful(attack: Attack) -> Attack:
    """An attack whose gradients may be of low precision: what that leaves undecided, it attacks again without rounding.

    Of the two perturbed images the one with the larger exact margin is kept.
    """

    @wraps(attack)
    def run(
        model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, **params: Value
    ) -> torch.Tensor:
        result = attack(model, x, y, budget, rng, **params)
        if not isinstance(model, Blocked):
            return result
        again = undecided(model, result, y).nonzero()[:, 0]
        if len(again):
            tried = attack(without_rounding(model), x[again], y[again], budget.of(again), rng.of(again), **params)
            better = exact_margin(model, tried, y[again]) > exact_margin(model, result[again], y[again])
            result[again[better]] = tried[better]
        return result

    return run


class Strongest:
    """For each image the attempt of the largest exact margin, up to the first that fools; the clean image before any.

    Attributes:
        result: those images, [N, C, H, W].
        best: their margins [N].
    """

    def __init__(self, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
        self.model, self.y = model, y
        self.result, self.best = x.clone(), torch.full_like(y, -torch.inf, dtype=x.dtype)

    def standing(self) -> torch.Tensor:
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
    attacks: Iterable[Attack],
) -> torch.Tensor:
    """Whole attacks in turn, each from the clean image on what still stands, with the same budget and streams."""
    strongest = Strongest(model, x, y)
    for attack in attacks:
        active = strongest.standing()
        if not len(active):
            break
        strongest.offer(active, attack(model, x[active], y[active], budget.of(active), rng.of(active)))
    return strongest.result


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
        delta.clamp_(-budget.radius, budget.radius)
    else:
        delta *= per_image((budget.epsilon / size(delta, "l2").clamp(min=1e-12)).clamp(max=1), delta)
    return delta.add_(origin).clamp_(0, 1)
