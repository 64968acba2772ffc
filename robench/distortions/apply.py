"""The room's wrapper: distorts a model's weights for a while, checks that they changed, puts them back bit for bit."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.core.types import Value
from robench.distortions import DISTORTIONS, Distortion
from robench.models.layers import inner_layers, weighted_layers

ROUNDING = 1e-6
SETTINGS = {"layers": "inner", "batch_norm": "recalibrated"}
"""What a condition may ask for besides a level: noise on the inner layers alone; batch norm's statistics moved as
the distortion moves those of training images (see ``robench.models.recalibration``)."""


def targets(
    model: nn.Module, distortion: Distortion, lowbit: Collection[str], *, inner: bool = False
) -> dict[str, torch.Tensor]:
    """The weight tensors that a distortion acts on, by layer name.

    Args:
        model: whose weights.
        distortion: noise acts on all layers with weights, a projection on the inner ones that are in full precision.
        lowbit: names of the layers with low-bit weights.
        inner: noise acts on the inner layers alone.
    """
    if distortion.projection:
        return {name: layer.weight for name, layer in inner_layers(model).items() if name not in lowbit}
    layers = inner_layers(model) if inner else weighted_layers(model)
    return {name: layer.weight for name, layer in layers.items()}


@contextmanager
def distorted(
    model: nn.Module,
    name: str,
    level: float | None,
    seed: int,
    draw: int = 0,
    lowbit: Collection[str] = (),
    *,
    inner: bool = False,
) -> Iterator[bool]:
    """Distort ``model`` inside the with-block.

    The random stream is keyed by seed, distortion, draw and tensor name, not by the level: levels nest, and twins see
    the same draw. Other arguments as for :func:`targets`.

    Yields:
        Whether any weight changed; False means that the distortion is the identity for this model.

    Raises:
        RobenchError: unknown name, a level that does not fit, or a function that breaks its contract.
    """
    check(name, level)
    weights = targets(model, DISTORTIONS[name], lowbit, inner=inner)
    saved = {key: weight.detach().clone() for key, weight in weights.items()}
    try:
        yield any([_distort(weights[key], name, level, stream(seed, "distortion", name, draw, key)) for key in weights])
    finally:
        for key, weight in weights.items():
            weight.data.copy_(saved[key])
            assert torch.equal(weight, saved[key]), key


def check(name: str, level: float | None, settings: Mapping[str, Value] = MappingProxyType({})) -> None:
    """Raise RobenchError where there is no such distortion, or level or ``SETTINGS`` do not fit it."""
    unknown = {key: value for key, value in settings.items() if SETTINGS.get(key) != value}
    if unknown:
        known = ", ".join(f'{key} = "{value}"' for key, value in SETTINGS.items())
        raise RobenchError(f"the distortion {name} takes no {unknown}; its settings may be {known}.")
    takes_level = DISTORTIONS[name].levels != (None,)
    if takes_level != (level is not None) or (level is not None and not (np.isfinite(level) and level >= 0)):
        needs = "a finite level >= 0" if takes_level else "no level"
        raise RobenchError(f"the distortion {name} takes {needs}, not {level}.")


def _distort(weight: torch.Tensor, name: str, level: float | None, rng: np.random.Generator) -> bool:
    before = weight.detach().cpu().numpy().copy()
    after = DISTORTIONS[name].function(before.copy(), float("nan") if level is None else level, rng)
    if after.shape != before.shape or after.dtype != before.dtype or not np.isfinite(after).all():
        raise RobenchError(f"the distortion {name} gave a wrong shape or type, or values that are not finite; mend it.")
    weight.data.copy_(torch.from_numpy(after))
    return bool(np.abs(after - before).max(initial=0) > ROUNDING * np.abs(before).max(initial=0))
