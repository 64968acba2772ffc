"""The wrapper: what a fault makes of a model's weights, and the model with them for a while."""

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, make_dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.gate import checked
from robench.core.registry import did_you_mean
from robench.core.seeding import stream
from robench.core.types import Condition, Value
from robench.engine.layers import inner_weights
from robench.engine.replacing import replaced
from robench.faults import FAULTS, BitSettings, DoesNotApplyError, Fault, Level, Streams
from robench.faults.analog import Crossbar
from robench.faults.memory import Memory, Stored, written_as
from robench.faults.protection import cells_of, made_small
from robench.quantizers.encodings import ENCODINGS
from robench.quantizers.stored import StoredWeight, decode, stored_float

Values = dict[str, torch.Tensor]
SCALE = "scale of "
"""Before the name of a weight, which no state-dict name begins with."""


@dataclass(frozen=True)
class Struck:
    """What a fault has done.

    Attributes:
        values: the tensors that have changed, by state-dict name.
        numbers: what was counted, such as the bits of the memory and those that flipped.
    """

    values: Values
    numbers: dict[str, int]


def check(condition: Condition) -> tuple[Fault, dict[str, Value]]:
    """The fault that a condition names, and its settings, with the defaults of those that are not given.

    Raises:
        RobenchError: there is no such fault, or a level or setting that does not fit it.
    """
    fault = FAULTS[condition.name]
    level, given = fault.level, condition.level
    if given is None or not _fits(given, level):
        bound = f"from {level.low:g} to {level.high:g}" if math.isfinite(level.high) else f">= {level.low:g}"
        number = "a whole number" if level.whole else "a number"
        raise RobenchError(f"the fault {condition.name} needs a level ({level.name}), {number} {bound}, not {given}.")
    settings = checked(_shape(fault), dict(condition.params), f"the settings of the fault {condition.name}")
    encoding = getattr(settings, "encoding", "")
    if encoding and encoding not in ENCODINGS:
        raise RobenchError(f"no encoding is named {encoding!r}; {did_you_mean(encoding, list(ENCODINGS))}")
    if (getattr(settings, "protection", ""), getattr(settings, "scope", "")) == ("in_place", "storage"):
        raise RobenchError("in-place protection is for the weights alone; leave scope = 'storage' out.")
    return fault, asdict(settings)


def _fits(value: float, level: Level) -> bool:
    return math.isfinite(value) and level.low <= value <= level.high and (not level.whole or value == int(value))


@cache
def _shape(fault: Fault) -> type[Any]:
    """A dataclass of all settings of a fault: those of its family, and the keyword-only ones of its function."""
    own = [
        (p.name, p.annotation, field(default=p.default))
        for p in inspect.signature(fault.function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    ]
    family = (BitSettings,) if fault.acts_on == "bits" else ()
    return make_dataclass("Settings", own, bases=family, frozen=True)


def strike(model: nn.Module, stored: Stored, condition: Condition, seed: int, draw: int = 0) -> Struck:
    """What a fault of bits or conductances makes of a model's tensors; the model stays as it is.

    Random streams are keyed by seed, fault and draw, which is the chip, and not by the level: levels nest.

    Args:
        model: the network.
        stored: how its weights are stored, by state-dict name.
        condition: the fault.
        seed, draw: of the random streams.

    Raises:
        RobenchError: unknown fault, or a level or setting that does not fit.
        DoesNotApplyError: the fault means nothing for this model.
    """
    fault, settings = check(condition)
    streams = partial(chip, seed, condition.name, draw)
    act = _strike_bits if fault.acts_on == "bits" else _strike_conductances
    after, numbers = act(fault, model, stored, float(condition.level or 0), streams, settings)
    tensors = model.state_dict()
    changed = {name: value for name, value in after.items() if not torch.equal(value, tensors[name].cpu().float())}
    moved = sum(int((value != tensors[name].cpu()).sum()) for name, value in changed.items())
    return Struck(changed, numbers | {"changed": moved})


@contextmanager
def struck(model: nn.Module, stored: Stored, condition: Condition, seed: int, draw: int = 0) -> Iterator[Struck]:
    """Let a fault act on ``model`` inside the with-block; arguments and errors as for :func:`strike`."""
    result = strike(model, stored, condition, seed, draw)
    with replaced(model, result.values):
        yield result


def chip(seed: int, name: str, draw: int, purpose: str) -> np.random.Generator:
    """Random numbers of one chip for one purpose."""
    return stream(seed, "fault", name, draw, purpose)


def target_weights(model: nn.Module, stored: Stored) -> dict[str, StoredWeight]:
    """The weights that faults act on: the coded ones; of a model in full precision, those of its inner layers.

    Raises:
        DoesNotApplyError: it has none.
    """
    coded = {name: weight for name, weight in stored.items() if weight.is_coded}
    found = coded or {name: stored_float(weight.float()) for name, weight in inner_weights(model).items()}
    if not found:
        raise DoesNotApplyError("this model has no inner weights")
    return found


def _strike_bits(
    fault: Fault, model: nn.Module, stored: Stored, level: float, streams: Streams, settings: dict[str, Value]
) -> tuple[Values, dict[str, int]]:
    family = BitSettings(**{entry.name: settings[entry.name] for entry in fields(BitSettings)})  # type: ignore[arg-type]
    own = {name: value for name, value in settings.items() if not hasattr(family, name)}
    kept = _written(target_weights(model, stored), family.encoding)
    if family.protection == "in_place":
        kept = made_small(kept)
    others = _others(model, stored, kept) if family.scope == "storage" else {}
    memory = Memory(kept | others)
    cells = cells_of(memory, family)
    places = fault.function(cells, level, streams, **own)
    cells.strike(places)
    return _values(memory.contents(family.unused)), {"bits": cells.size, "flips": len(places)}


def _written(targets: dict[str, StoredWeight], encoding: str) -> dict[str, StoredWeight]:
    try:
        return {name: written_as(weight, encoding) for name, weight in targets.items()}
    except RobenchError as error:
        raise DoesNotApplyError(str(error).rstrip(".")) from error


def _others(model: nn.Module, stored: Stored, kept: Stored) -> dict[str, StoredWeight]:
    """What a file holds besides the target weights: scales, other weights, biases and batch norm, all as floats."""
    scales = {f"{SCALE}{name}": stored_float(weight.scale) for name, weight in kept.items() if weight.scale is not None}
    tensors = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    return scales | {name: stored_float(tensor.float()) for name, tensor in tensors.items() if name not in kept}


def _values(contents: dict[str, StoredWeight]) -> Values:
    """The tensors that what is read from a memory stands for; scales may be anything, also no numbers."""
    values = {}
    for name, weight in contents.items():
        scale = contents.get(f"{SCALE}{name}")
        if scale is not None:
            values[name] = decode(weight.values, scale.values, weight.zero_point)
        elif not name.startswith(SCALE):
            values[name] = weight.weight()
    return values


def _strike_conductances(
    fault: Fault, model: nn.Module, stored: Stored, level: float, streams: Streams, settings: dict[str, Value]
) -> tuple[Values, dict[str, int]]:
    values, devices = {}, 0
    for name, weight in target_weights(model, stored).items():
        crossbar = Crossbar(weight)
        own = partial(_of_tensor, streams, name)
        values[name] = crossbar.weight(fault.function(crossbar.pairs, level, own, **settings))
        devices += crossbar.pairs.size
    return values, {"devices": devices}


def _of_tensor(streams: Streams, name: str, purpose: str) -> np.random.Generator:
    return streams(f"{name} {purpose}")
