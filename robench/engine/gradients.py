"""Whose gradients attacks follow: the model's own, robench's straight-through ones, or both."""

from functools import partial
from typing import NamedTuple

import torch

from robench.engine.blocked import Blocked, settled
from robench.engine.folding import Folded, agrees, unfolded
from robench.engine.surrogate import has_own_backward, straight_through

TOLERATED = 0.05
"""Share of the probe's images whose gradient may be zero, or differ, by chance."""
ALIKE = 0.999
"""Cosine of two gradients that lead an attack the same way."""


class Gradients(NamedTuple):
    """What attacks differentiate.

    Attributes:
        first: the model itself where it passes a gradient on, else a copy with surrogate gradients, where there is one.
        second: the other of the two, where it leads another way; attacks try it on what withstands the first.
        plain: whether the model has no step with a gradient that is not its own.
    """

    first: Blocked
    second: Blocked | None
    plain: bool


def choose_gradients(exact: Blocked, x: torch.Tensor) -> Gradients:
    """Look at the gradients of a model, and of its straight-through copy, at images ``x`` [N, C, H, W]."""
    traced = exact.model if isinstance(exact.model, Folded) else unfolded(exact.model)
    if traced is None:
        return Gradients(exact, None, plain=True)
    own = _gradients(exact, x)
    dead = _dead(own)
    copy = _straight_through(exact, traced, x, dead=dead > TOLERATED)
    if copy is None:
        return Gradients(exact, None, plain=not has_own_backward(traced))
    theirs = _gradients(copy, x)
    if dead == 1 or own is None:
        return Gradients(copy, None, plain=False)
    if _dead(theirs) == 1 or _alike(own, theirs):
        return Gradients(exact, None, plain=False)
    first, second = (copy, exact) if dead > TOLERATED else (exact, copy)
    return Gradients(first, second, plain=False)


def _straight_through(exact: Blocked, model: Folded, x: torch.Tensor, *, dead: bool) -> Blocked | None:
    """The copy with surrogate gradients; comparisons have some where a model shows no other gradient."""
    for comparisons in (False, True) if dead else (has_own_backward(model),):
        surrogate = straight_through(model, comparisons=comparisons)
        if surrogate is None or not agrees(surrogate, exact.model, x):
            continue
        copy = settled(Blocked(surrogate, exact.sizes, exact.workers), x)
        if _dead(_gradients(copy, x)) < 1:
            return copy
    return None


def _gradients(model: Blocked, x: torch.Tensor) -> torch.Tensor | None:
    """Of the largest logit, [N, pixels]; None where there is none."""
    try:
        return torch.cat(model.over_blocks(partial(_of_block, model), x))
    except Exception:  # noqa: BLE001 (what a foreign model raises when it is asked for gradients)
        return None


def _of_block(model: Blocked, x: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model.one_block(x).amax(1).sum(), x)
    return gradient.flatten(1)


def _dead(gradients: torch.Tensor | None) -> float:
    """Share of the images whose gradient is zero or not finite."""
    if gradients is None:
        return 1.0
    return float(((gradients == 0).all(1) | ~gradients.isfinite().all(1)).float().mean())


def _alike(first: torch.Tensor, second: torch.Tensor | None) -> bool:
    if second is None:
        return True
    same = torch.nn.functional.cosine_similarity(first, second) > ALIKE
    return float(same.float().mean()) >= 1 - TOLERATED
