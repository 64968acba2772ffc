"""The room's wrapper: distorts a model's weights for a while, checks that they changed, puts them back bit for bit."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.distortions import DISTORTIONS, Distortion
from robench.models.layers import inner_layers, weighted_layers

ROUNDING = 1e-6


def targets(model: nn.Module, distortion: Distortion, lowbit: Collection[str]) -> dict[str, torch.Tensor]:
    """The weight tensors that a distortion acts on, by layer name; ``lowbit`` names the layers with low-bit weights."""
    if not distortion.projection:
        return {name: layer.weight for name, layer in weighted_layers(model).items()}
    return {name: layer.weight for name, layer in inner_layers(model).items() if name not in lowbit}


@contextmanager
def distorted(
    model: nn.Module, name: str, level: float | None, seed: int, draw: int = 0, lowbit: Collection[str] = ()
) -> Iterator[bool]:
    """Distort ``model`` inside the with-block.

    The random stream is keyed by seed, distortion, draw and tensor name, not by the level: levels nest, and twins see
    the same draw.

    Yields:
        Whether any weight changed; False means that the distortion is the identity for this model.

    Raises:
        RobenchError: unknown name, a level that does not fit, or a function that breaks its contract.
    """
    check(name, level)
    weights = targets(model, DISTORTIONS[name], lowbit)
    saved = {key: weight.detach().clone() for key, weight in weights.items()}
    try:
        yield any([_distort(weights[key], name, level, stream(seed, "distortion", name, draw, key)) for key in weights])
    finally:
        for key, weight in weights.items():
            weight.data.copy_(saved[key])
            assert torch.equal(weight, saved[key]), key


def check(name: str, level: float | None) -> None:
    """Raise RobenchError where there is no such distortion, or the level does not fit it."""
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
