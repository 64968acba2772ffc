"""The wrapper: distorts a model's weights for a while, sees whether they changed, puts them back bit for bit."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.seeding import stream
from robench.distortions import DISTORTIONS, Distortion, Weight
from robench.engine.layers import inner_weights, layer_of, weights
from robench.engine.replacing import replaced
from robench.quantizers.encodings import IntegerEncoding, encoding_named
from robench.quantizers.stored import StoredWeight, decode

ROUNDING = 1e-6
"""A change of less than this share of a tensor's largest value is float32's rounding: w / a * a is not always w."""
NOTHING: Mapping[str, StoredWeight] = MappingProxyType({})


@contextmanager
def distorted(
    model: nn.Module,
    name: str,
    level: float | None,
    seed: int,
    draw: int = 0,
    *,
    stored: Mapping[str, StoredWeight] = NOTHING,
    scope: str = "",
    acts_on: str = "",
) -> Iterator[bool]:
    """Distort ``model`` inside the with-block.

    The random stream is keyed by seed, distortion, draw and tensor name, not by the level: levels nest, and twins see
    the same draw.

    Args:
        model: whose weights.
        name: of a registered distortion.
        level: its level, None where it has none.
        seed, draw: of the random stream.
        stored: how the model's weights are stored, by state-dict name; the others are floats.
        scope, acts_on: which tensors, and what of them; the distortion's own where they are not given.

    Yields:
        Whether it applies: whether anything was seen to change, or, of a random one, could have.

    Raises:
        RobenchError: unknown name, a level that does not fit, or a function that breaks its contract.
    """
    distortion = check(name, level)
    scope, acts_on = scope or distortion.scope, acts_on or distortion.acts_on
    change = _Change(name, distortion, float("nan") if level is None else level, seed, draw, scope, acts_on)
    tensors = {key: model.state_dict()[key].cpu() for key in _targets(model, scope, acts_on, stored)}
    values = {key: _distorted(tensor, stored.get(key), key, change) for key, tensor in tensors.items()}
    changed = any(_differ(tensors[key], after) for key, after in values.items())
    with replaced(model, values):
        yield changed or (distortion.random and bool(values))


def check(name: str, level: float | None) -> Distortion:
    """The distortion of a name; RobenchError where there is none, or the level does not fit it."""
    distortion = DISTORTIONS[name]
    if distortion.level != (level is not None) or (level is not None and not (math.isfinite(level) and level >= 0)):
        needs = "a finite level >= 0" if distortion.level else "no level"
        raise RobenchError(f"the distortion {name} takes {needs}, not {level}.")
    return distortion


@dataclass(frozen=True)
class _Change:
    """One draw of a distortion."""

    name: str
    distortion: Distortion
    level: float
    seed: int
    draw: int
    scope: str
    acts_on: str

    def of(self, before: torch.Tensor, key: str) -> torch.Tensor:
        """The distorted array; ``key`` names its random stream."""
        array: Weight = before.detach().cpu().float().numpy()
        rng = stream(self.seed, "distortion", self.name, self.draw, key)
        after = self.distortion.function(array.copy(), self.level, rng)
        if not isinstance(after, np.ndarray) or after.shape != array.shape or after.dtype != array.dtype:
            raise RobenchError(
                f"the distortion {self.name} must return float32 {list(array.shape)}, the shape that it was given; fix "
                "the plug-in."
            )
        return torch.from_numpy(np.ascontiguousarray(after))


def _targets(model: nn.Module, scope: str, acts_on: str, stored: Mapping[str, StoredWeight]) -> list[str]:
    """The state-dict names of the tensors that a distortion acts on."""
    found = list(inner_weights(model) if scope == "inner" else weights(model))
    if acts_on != "values":
        return [key for key in found if key in stored and stored[key].is_coded]
    if scope == "storage":
        found += [k for k, tensor in model.state_dict().items() if tensor.is_floating_point() and k not in found]
    return found


def _differ(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether a tensor was seen to change."""
    # Written so that values that are not numbers count as changed.
    return not bool((after - before).abs().max() <= ROUNDING * before.abs().max()) if before.numel() else False


def _distorted(before: torch.Tensor, stored: StoredWeight | None, key: str, change: _Change) -> torch.Tensor:
    if stored is None or stored.scale is None:
        return change.of(before, layer_of(key))
    codes, scale, zero = stored.values, stored.scale, stored.zero_point
    if change.acts_on == "codes":
        encoding = encoding_named(stored.encoding, stored.bits)
        assert isinstance(encoding, IntegerEncoding)
        moved = change.of(codes.float(), layer_of(key))
        return decode(encoding.nearest(moved.numpy(), stored.bits).view(codes.shape), scale, zero)
    if change.acts_on == "scales" or change.scope == "storage":
        before = decode(codes, change.of(scale, f"{key}.scale"), zero)
    return before if change.acts_on == "scales" else change.of(before, layer_of(key))
