"""The wrapper of every attack: holds it to its budget and keys its randomness by image."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import nn

from robench.attacks import ATTACKS, OWN, VIA, Attack, Budget, ImageStreams
from robench.attacks.bare import TimeLimit, run_bare
from robench.attacks.directions import Directions
from robench.attacks.library import problem
from robench.attacks.toolbox import SLACK, per_image, project, size
from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.core.types import Condition, Value

LARGEST = 100_000
"""Of a parameter of an attack: steps and queries beyond it would take days, and memory to match."""
COUNTS = ("steps", "queries", "n_queries")
"""Parameters of other libraries' attacks that count something."""
ARGUMENT = "argument"
"""Of an attack that stands for several: which, as behind the colon of its name."""
TIME_LIMIT = "time_limit_s"
SECONDS = 600.0
"""That a library's attack may take on all images together, unless a condition gives ``time_limit_s``."""


class Perturbed(NamedTuple):
    """What an attack gave for a batch, and what its wrapper had to do to it.

    Attributes:
        images: [N, C, H, W], in [0, 1] and within the budget.
        beyond: bool [N], which of them are projections of something larger.
        broken: bool [N], which are clean, because the attack gave no finite numbers.
        unfinished: bool [N], for which the attack had no time, or not enough.
    """

    images: torch.Tensor
    beyond: torch.Tensor
    broken: torch.Tensor
    unfinished: torch.Tensor


@dataclass(frozen=True)
class _Settings:
    """What a condition asks for: the attack with the traits of its variant, what the wrapper sees to, and the rest.

    Attributes:
        via: whose gradients it follows.
        eot: forward passes that are averaged, of a model that draws random numbers.
    """

    attack: Attack
    norm: str
    via: Value
    eot: Value
    seconds: float
    params: dict[str, Value]


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
    """The images that :func:`attempt` gives."""
    return attempt(model, x, y, condition, seed, draw, images, epsilons).images


def attempt(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    condition: Condition,
    seed: int,
    draw: int = 0,
    images: Iterable[int] | None = None,
    epsilons: torch.Tensor | None = None,
    limit: TimeLimit | None = None,
    directions: Directions | None = None,
) -> Perturbed:
    """Attack a batch and give images that are in [0, 1] and within the budget, whatever the attack did.

    Args:
        model: pixels in [0, 1] -> logits.
        x: float32 [N, C, H, W] in [0, 1].
        y: int64 [N].
        condition: one that :func:`check` has passed. Its name is a registered attack or one of a library
            (``torchattacks:CLASS``), its level is epsilon on the [0, 1] scale, its params are the attack's, and
            ``norm`` (the attack's own unless given).
        seed, draw, images: of the random streams; ``images`` are the indices of the batch in the data set, 0 to N-1
            unless given.
        epsilons: a budget for each image, float [N], instead of the condition's level for all.
        limit: of the time of a library's attack; the condition's own, from now on, unless given.
        directions: of the same attack on the same model and images; an attack of one step takes its own from there.

    Returns:
        Images of the shape of x. What an attack gives beyond its budget is projected into it; what is not finite comes
        back clean.

    Raises:
        RobenchError: unknown attack, or a result of another shape.
    """
    settings = _settings(condition)
    function, params = settings.attack.function, settings.params
    budget = Budget(settings.norm, x.new_full((len(x),), condition.level or 0.0) if epsilons is None else epsilons)
    indices = list(range(len(x)) if images is None else map(int, images))
    streams = ImageStreams([stream(seed, "attack", condition.name, draw, index) for index in indices])
    step = settings.attack.direction
    if settings.attack.traits.bare:
        limit = limit or TimeLimit(settings.seconds)
        result, unfinished = run_bare(function, model, x, y, budget, streams, params, limit)
        return Perturbed(*_held(result, x, budget, condition.name), unfinished)
    if step is not None and directions is not None:
        way = directions.of(indices, lambda: step(model, x, y, budget.norm, **params), x)
        result = project(x + budget.radius * way, x, budget)
    else:
        # An attack may work in place, and is held to the images as they were.
        result = function(model, x.clone(), y.clone(), budget, streams, **params)
    unfinished = torch.zeros_like(y, dtype=torch.bool)
    return Perturbed(*_held(result, x, budget, condition.name), unfinished)


def time_limit(condition: Condition, share: float) -> TimeLimit:
    """The time that a library's attack has for a share of the images of a condition, from now on."""
    return TimeLimit(share * seconds_of(condition))


def seconds_of(condition: Condition) -> float:
    """The time that a library's attack has for all images."""
    return _settings(condition).seconds


def resume(
    model: nn.Module,
    start: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    condition: Condition,
    epsilons: torch.Tensor,
) -> torch.Tensor:
    """Go on with an attack from images ``start`` within the budgets ``epsilons``; ``start`` if it does not know how."""
    settings = _settings(condition)
    if settings.attack.resume is None:
        return start
    budget = Budget(settings.norm, epsilons)
    return _held(settings.attack.resume(model, start, x, y, budget, **settings.params), x, budget, condition.name)[0]


def _held(
    result: torch.Tensor, x: torch.Tensor, budget: Budget, name: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What an attack gave, projected into the budget, or clean where it is not finite; and where that was needed."""
    if result.shape != x.shape:
        raise RobenchError(f"the attack {name} gave {list(result.shape)} for {list(x.shape)}; fix the plug-in.")
    result = result.detach().to(x)
    finite = result.isfinite().flatten(1).all(1)
    result = torch.where(per_image(finite, x), result, x).clamp(0, 1)
    beyond = size(result - x, budget.norm) > budget.epsilon + SLACK
    return torch.where(per_image(beyond, x), project(result, x, budget), result), beyond, ~finite


def check(condition: Condition) -> Attack:
    """The attack that a condition names, with the traits of the variant that it names.

    Raises:
        RobenchError: no such attack, a library that is not here, an epsilon or norm that makes no sense, or parameters
            that do not fit.
    """
    settings = _settings(condition)
    attack, norm = settings.attack, settings.norm
    library = _library_parameters(attack, condition)
    epsilon = condition.level
    if norm not in attack.traits.norms:
        raise RobenchError(f"the norm of {condition.name} must be {' or '.join(attack.traits.norms)}, not {norm!r}.")
    largest = 1.0 if norm == "linf" else float("inf")
    if epsilon is None or not 0 <= epsilon <= largest or epsilon == float("inf"):
        hint = f'; for {epsilon:g} pixel levels write "{epsilon:g}/255"' if epsilon and 1 < epsilon <= 255 else ""
        hint = '; give one, such as "8/255"' if epsilon is None else hint
        bound = "from 0 to 1" if norm == "linf" else ">= 0"
        raise RobenchError(
            f"the epsilon of {condition.name} must be a number {bound} on the [0, 1] pixel scale, not {epsilon}{hint}."
        )
    _check_gradients(settings, condition)
    if not settings.seconds > 0:
        raise RobenchError(f"{TIME_LIMIT} of the attack {condition.name} must be a number of seconds above 0.")
    _check_params(attack, condition, settings.params, library)
    return attack


def settings_of(condition: Condition) -> dict[str, Value]:
    """The parameters of the attack that a condition names, with its defaults for those that are not given."""
    settings = _settings(condition)
    return _defaults(settings.attack) | settings.params


def _settings(condition: Condition) -> _Settings:
    name, _, argument = condition.name.partition(":")
    attack = ATTACKS[name]
    params: dict[str, Value] = dict(condition.params) | ({ARGUMENT: argument} if argument else {})
    attack = replace(attack, traits=attack.variants.get(argument, attack.traits))
    norm = str(params.pop("norm", attack.traits.norms[0]))
    own = attack.traits.gradient and not attack.traits.bare
    via, eot = (params.pop(name, default) if own else default for name, default in (("via", OWN), ("eot", 1)))
    seconds = params.pop(TIME_LIMIT, SECONDS) if attack.traits.bare else SECONDS
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return _Settings(attack, norm, via, eot, float(seconds) if good else -1.0, params)


def gradients_of(condition: Condition) -> tuple[str, int]:
    """Whose gradients the attack of a checked condition follows, and of how many forward passes of a random model."""
    settings = _settings(condition)
    return str(settings.via), int(settings.eot)


def _check_gradients(settings: _Settings, condition: Condition) -> None:
    if settings.via not in VIA:
        raise RobenchError(f"via of the attack {condition.name} must be {', '.join(VIA)}, not {settings.via!r}.")
    if wrong := _problem(settings.eot, 1):
        raise RobenchError(f"eot of the attack {condition.name} must be {wrong}, not {settings.eot!r}.")


def _library_parameters(attack: Attack, condition: Condition) -> dict[str, Value | None]:
    """What the library's attack that a condition names takes; nothing for robench's own attacks."""
    if attack.library is None:
        return {}
    return attack.library.parameters(attack.library.find(condition.name.partition(":")[2], attack.variants))


def _check_params(
    attack: Attack, condition: Condition, params: dict[str, Value], library: dict[str, Value | None]
) -> None:
    defaults = _defaults(attack)
    known = inspect.signature(attack.function).parameters.values()
    free = attack.library is None and any(p.kind is p.VAR_KEYWORD for p in known)
    wrapper = [TIME_LIMIT] if attack.traits.bare else ["via", "eot"] if attack.traits.gradient else []
    takes = ["norm", *wrapper, *(name for name in defaults if name != ARGUMENT), *library]
    for name, value in condition.params:
        if name not in params:  # the wrapper's own
            continue
        if name in library:
            wanted = problem(value, library[name]) or (_problem(value, 1) if name in COUNTS else "")
        elif (name in defaults and name != ARGUMENT) or free:
            wanted = _problem(value, defaults.get(name, 1 if name in COUNTS else inspect.Parameter.empty))
        else:
            raise RobenchError(f"the attack {condition.name} has no parameter {name!r}; it takes: {', '.join(takes)}.")
        if wanted:
            raise RobenchError(f"{name} of the attack {condition.name} must be {wanted}, not {value!r}.")


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
