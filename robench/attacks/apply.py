"""The room's wrapper: holds every attack to its budget and keys its randomness by image."""

import inspect
from collections.abc import Iterable

import torch
from torch import nn

from robench.attacks import ATTACKS, RESUMING, Attack, Budget, ImageStreams
from robench.attacks.gradient import per_image, size
from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.core.types import Condition, Value

SLACK = 1e-6


def perturb(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    condition: Condition,
    seed: int,
    draw: int = 0,
    images: Iterable[int] | None = None,
    epsilons: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attack a batch and give images that are in [0, 1] and within the budget, whatever the attack did.

    Args:
        model: pixels in [0, 1] -> logits.
        x: float32 [N, C, H, W] in [0, 1].
        y: int64 [N].
        condition: its name is a registered attack or ``torchattacks:CLASS``, its level is epsilon on the [0, 1] scale,
            its params are the attack's, and ``norm`` ("linf" unless given).
        seed, draw, images: of the random streams; ``images`` are the indices of the batch in the data set, 0 to N-1
            unless given.
        epsilons: a budget for each image, float [N], instead of the condition's level for all.

    Returns:
        float32 of the shape of x. An image whose perturbation broke the budget, or is not finite, comes back clean.

    Raises:
        RobenchError: unknown attack, parameters that do not fit, a negative epsilon, or a result of another shape.
    """
    attack, norm, params = check(condition)
    budget = Budget(norm, x.new_full((len(x),), condition.level or 0.0) if epsilons is None else epsilons)
    indices = range(len(x)) if images is None else images
    streams = ImageStreams([stream(seed, "attack", condition.name, draw, int(index)) for index in indices])
    return _held(attack(model, x, y, budget, streams, **params), x, budget, condition.name)


def resume(
    model: nn.Module,
    start: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    condition: Condition,
    epsilons: torch.Tensor,
) -> torch.Tensor:
    """The same for an attack that is resumed (see RESUMING) from images ``start`` within the budgets ``epsilons``."""
    _, norm, params = check(condition)
    budget = Budget(norm, epsilons)
    return _held(RESUMING[condition.name](model, start, x, y, budget, **params), x, budget, condition.name)


def _held(result: torch.Tensor, x: torch.Tensor, budget: Budget, name: str) -> torch.Tensor:
    """What an attack gave; the clean image where that is outside the budget, or not finite."""
    if result.shape != x.shape:
        raise RobenchError(f"the attack {name} gave {list(result.shape)} for {list(x.shape)}; mend it.")
    within = (size(result - x, budget.norm) <= budget.epsilon + SLACK) & result.isfinite().flatten(1).all(1)
    return torch.where(per_image(within, x), result.detach().to(x.dtype).clamp(0, 1), x)


def check(condition: Condition) -> tuple[Attack, str, dict[str, Value]]:
    """The attack that a condition names, its norm, and its parameters.

    Raises:
        RobenchError: no such attack, an epsilon or norm that makes no sense, or parameters that do not fit.
    """
    name, _, argument = condition.name.partition(":")
    params: dict[str, Value] = dict(condition.params) | ({"argument": argument} if argument else {})
    norm, epsilon = params.pop("norm", "linf"), condition.level
    attack = ATTACKS[name]
    if norm not in ("linf", "l2"):
        raise RobenchError(f"the norm of {condition.name} must be linf or l2, not {norm!r}.")
    if epsilon is None or not 0 <= epsilon < float("inf"):
        raise RobenchError(f"the epsilon of {condition.name} must be a number >= 0 on the [0, 1] scale, not {epsilon}.")
    _check_params(attack, condition, params)
    return attack, str(norm), params


def _check_params(attack: Attack, condition: Condition, params: dict[str, Value]) -> None:
    known = inspect.signature(attack).parameters.values()
    names = [p.name for p in known if p.kind is p.KEYWORD_ONLY]
    unknown = [name for name in params if name not in names]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in known):
        takes = ", ".join(["norm", *names])
        raise RobenchError(f"the attack {condition.name} has no parameter {unknown[0]!r}; it takes: {takes}.")
