"""Any attack class of torchattacks (Kim 2020, arXiv:2010.01950), by name: ``torchattacks:PGDL2``."""

import inspect

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, Traits, register
from robench.core.errors import RobenchError
from robench.core.optional import import_optional
from robench.core.registry import did_you_mean
from robench.engine.blocked import Blocked

BLACK_BOX = ("GN", "OnePixel", "Pixle", "SPSA", "Square", "VANILA")
SINGLE_STEP = ("FFGSM", "FGSM")
VARIANTS = {
    **{name: Traits(gradient=False, bare=True) for name in BLACK_BOX},
    **{name: Traits(single_step=True, bare=True) for name in SINGLE_STEP},
}


@register("torchattacks", bare=True, variants=VARIANTS)
def torchattacks(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    argument: str = "",
    **params: object,
) -> torch.Tensor:
    """Run ``torchattacks.<argument>`` with ``params``; the budget's epsilon is its ``eps``, where it has one.

    Each block of images draws from torch's generator, seeded by the stream of the block's first image, so that batch
    size and order do not matter here either. A model that is not ``Blocked`` is one block.
    """
    library = import_optional("torchattacks")
    attacks = [name for name, value in vars(library).items() if inspect.isclass(value)]
    if argument not in attacks:
        raise RobenchError(f"torchattacks has no attack {argument!r}; {did_you_mean(argument, attacks)}")
    attack_class = getattr(library, argument)
    if "eps" in inspect.signature(attack_class).parameters:
        params = {"eps": _one(budget.epsilon), **params}
    try:
        attack = attack_class(model, **params)
    except TypeError as error:
        raise RobenchError(f"torchattacks.{argument} does not take these parameters: {error}.") from error
    size = model.sizes[-1] if isinstance(model, Blocked) else len(x)
    results = []
    for start in range(0, len(x), size):
        seed = int(rng.streams[start].integers(2**31))
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []), torch.enable_grad():
            torch.manual_seed(seed)
            results.append(attack(x[start : start + size], y[start : start + size]).detach())
    return torch.cat(results)


def _one(epsilon: torch.Tensor) -> float:
    """The epsilon of a batch, which must be the same for all of its images."""
    if (epsilon != epsilon[0]).any():
        raise RobenchError("torchattacks takes one epsilon for all images; leave search out of the suite.")
    return float(epsilon[0])
