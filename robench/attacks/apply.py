"""The wrapper of every attack: holds it to its budget and keys its randomness by image."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import nn

from robench.attacks import ATTACKS, NORMS, Attack, Budget, ImageStreams
from robench.attacks.toolbox import per_image, size
from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.core.types import Condition, Value

SLACK = 1e-6
"""Float32 rounds pixels near 1 by 6e-8, and sums of L2 by more: within this, a perturbation counts as in the budget."""
LARGEST = 100_000
"""Of a parameter of an attack: steps and queries beyond it would take days, and memory to match."""
COUNTS = ("steps", "queries", "n_queries")
"""Parameters of other libraries' attacks that count something."""


def perturb(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    condition: Condition,
    seed: int,
    draw: int = 0,
    images: Iterable[int] | None = None,
    epsilons: torch.Tensor | None = None,
    kept: Callable[[torch.Tensor], None] = lambda within: None,
) -> torch.Tensor:
    """Attack a batch and give images that are in [0, 1] and within the budget, whatever the attack did.

    Args:
        model: pixels in [0, 1] -> logits.
        x: float32 [N, C, H, W] in [0, 1].
        y: int64 [N].
        condition: one that :func:`check` has passed. Its name is a registered attack or ``torchattacks:CLASS``, its
            level is epsilon on the [0, 1] scale, its params are the attack's, and ``norm`` ("linf" unless given).
        seed, draw, images: of the random streams; ``images`` are the indices of the batch in the data set, 0 to N-1
            unless given.
        epsilons: a budget for each image, float [N], instead of the condition's level for all.
        kept: hears for which images, bool [N], the attack kept to its budget.

    Returns:
        float32 of the shape of x. An image whose perturbation broke the budget, or is not finite, comes back clean.

    Raises:
        RobenchError: unknown attack, or a result of another shape.
    """
    attack, norm, params = _settings(condition)
    budget = Budget(norm, x.new_full((len(x),), condition.level or 0.0) if epsilons is None else epsilons)
    indices = range(len(x)) if images is None else images
    streams = ImageStreams([stream(seed, "attack", condition.name, draw, int(index)) for index in indices])
    result, within = _held(attack.function(model, x, y, budget, streams, **params), x, budget, condition.name)
    kept(within)
    return result


def resume(
    model: nn.Module,
    start: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    condition: Condition,
    epsilons: torch.Tensor,
) -> torch.Tensor:
    """Go on with an attack from images ``start`` within the budgets ``epsilons``; ``start`` if it does not know how."""
    attack, norm, params = _settings(condition)
    if attack.resume is None:
        return start
    budget = Budget(norm, epsilons)
    return _held(attack.resume(model, start, x, y, budget, **params), x, budget, condition.name)[0]


def _held(result: torch.Tensor, x: torch.Tensor, budget: Budget, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What an attack gave, clean where that is outside the budget or not finite; and which images are within it."""
    if result.shape != x.shape:
        raise RobenchError(f"the attack {name} gave {list(result.shape)} for {list(x.shape)}; fix the plug-in.")
    within = (size(result - x, budget.norm) <= budget.epsilon + SLACK) & result.isfinite().flatten(1).all(1)
    return torch.where(per_image(within, x), result.detach().to(x.dtype).clamp(0, 1), x), within


def check(condition: Condition) -> Attack:
    """The attack that a condition names, with the traits of the variant that it names.

    Raises:
        RobenchError: no such attack, an epsilon or norm that makes no sense, or parameters that do not fit.
    """
    attack, norm, params = _settings(condition)
    epsilon = condition.level
    attack = replace(attack, traits=attack.variants.get(str(params.get("argument")), attack.traits))
    if norm not in attack.traits.norms:
        raise RobenchError(f"the norm of {condition.name} must be {' or '.join(attack.traits.norms)}, not {norm!r}.")
    largest = 1.0 if norm == "linf" else float("inf")
    if epsilon is None or not 0 <= epsilon <= largest or epsilon == float("inf"):
        hint = f'; for {epsilon:g} pixel levels write "{epsilon:g}/255"' if epsilon and 1 < epsilon <= 255 else ""
        bound = "from 0 to 1" if norm == "linf" else ">= 0"
        raise RobenchError(
            f"the epsilon of {condition.name} must be a number {bound} on the [0, 1] pixel scale, not {epsilon}{hint}."
        )
    _check_params(attack, condition, params)
    return attack


def settings_of(condition: Condition) -> dict[str, Value]:
    """The parameters of the attack that a condition names, with its defaults for those that are not given."""
    attack, _, params = _settings(condition)
    return _defaults(attack) | params


def _settings(condition: Condition) -> tuple[Attack, str, dict[str, Value]]:
    """The attack that a condition names, its norm, and its own parameters."""
    name, _, argument = condition.name.partition(":")
    params: dict[str, Value] = dict(condition.params) | ({"argument": argument} if argument else {})
    norm = str(params.pop("norm", NORMS[0]))
    return ATTACKS[name], norm, params


def _check_params(attack: Attack, condition: Condition, params: dict[str, Value]) -> None:
    defaults = _defaults(attack)
    unknown = [name for name in params if name not in defaults]
    known = inspect.signature(attack.function).parameters.values()
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in known):
        takes = ", ".join(["norm", *defaults])
        raise RobenchError(f"the attack {condition.name} has no parameter {unknown[0]!r}; it takes: {takes}.")
    for name, value in params.items():
        problem = _problem(value, defaults.get(name, 1 if name in COUNTS else inspect.Parameter.empty))
        if problem:
            raise RobenchError(f"{name} of the attack {condition.name} must be {problem}, not {value!r}.")


def _defaults(attack: Attack) -> dict[str, Value]:
    """Its own parameters, keyword-only."""
    known = inspect.signature(attack.function).parameters.values()
    return {p.name: p.default for p in known if p.kind is p.KEYWORD_ONLY}


def _problem(value: Value, default: object) -> str:
    """What a parameter must be, judged by its default; "" where it is that."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST
        return "" if good else f"a whole number >= 1, and at most {LARGEST:,}"
    if isinstance(default, float):
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST
        return "" if good else f"a number above 0, and at most {LARGEST:,}"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text in quotes"
    return ""
