"""Stored weights on disk: packed codes and scales in safetensors, read back bit for bit, without running code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Interval, Len
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialized

from robench.core.errors import RobenchError
from robench.core.files import check_data_file
from robench.core.gate import checked
from robench.core.types import Line
from robench.quantizers.stored import StoredWeight, coded, unpack

SMALLEST_GROUP = 8
Width = Annotated[int, Interval(ge=1, le=8)]
USUAL = {1: "sign", 2: "ternary"}
"""Encodings of files from before they were named."""


def recognise(weight: torch.Tensor) -> StoredWeight | None:
    """The codes of a float32 weight [F, ...] that holds binary or ternary values already; None where it does not.

    Per tensor or per filter, all negative weights must share one magnitude and all positive ones another (or the same).
    """
    codes = weight.sign().to(torch.int8)
    for rows in (weight.reshape(1, -1), weight.flatten(1)):
        scale = torch.stack([(-rows).amax(1), rows.amax(1)]).clamp(min=0)
        if torch.equal(scale[0], scale[1]) or not (codes < 0).any():
            scale = scale[1:]
        if not scale.isfinite().all():
            return None
        found = coded(codes, scale, 2 if (codes == 0).any() else 1)
        if rows.shape[1] >= SMALLEST_GROUP and torch.equal(found.weight(), weight):
            return found
    return None


@dataclass(frozen=True)
class Form:
    """What a file says of one coded weight."""

    bits: Width
    shape: Annotated[list[Annotated[int, Interval(ge=1, le=2**31)]], Len(1, 8)]
    encoding: Line = ""


@dataclass(frozen=True)
class Layout:
    """What a file says of its coded weights."""

    weights: dict[Line, Form]


@dataclass(frozen=True)
class Inputs:
    """What a file says of its layers: the bits of their inputs."""

    layers: dict[Line, Width]


@dataclass(frozen=True)
class ActivationCode:
    """How the input of a layer is quantized, per tensor: x = scale (code - zero_point), codes from 0 to 2^bits - 1."""

    scale: float
    zero_point: int
    bits: int


@dataclass(frozen=True)
class StoredModel:
    """What a weights file holds.

    Attributes:
        floats: tensors that are stored as they are, by state-dict name.
        codes: coded weights, by state-dict name.
        activations: of layers whose input is quantized, by layer name.
    """

    floats: Mapping[str, torch.Tensor]
    codes: Mapping[str, StoredWeight]
    activations: Mapping[str, ActivationCode] = field(default_factory=dict)


def save(path: Path, model: StoredModel) -> None:
    """Write floats as they are, and a coded weight as ``<name>.codes``, ``.scale`` and perhaps ``.zero_point``.

    The input of a layer is ``<layer>.input_scale`` and ``.input_zero_point``.
    """
    floats, codes = model.floats, model.codes
    tensors = {name: tensor.contiguous() for name, tensor in floats.items()}
    layout = {}
    for name, stored in codes.items():
        assert stored.scale is not None
        parts = {"codes": stored.pack(), "scale": stored.scale.contiguous()}
        if stored.zero_point is not None:
            parts["zero_point"] = stored.zero_point.contiguous()
        tensors |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
        layout[name] = {"bits": stored.bits, "encoding": stored.encoding, "shape": list(stored.values.shape)}
    bits = {layer: code.bits for layer, code in model.activations.items()}
    for layer, code in model.activations.items():
        tensors[f"{layer}.input_scale"] = torch.tensor([code.scale])
        tensors[f"{layer}.input_zero_point"] = torch.tensor([code.zero_point], dtype=torch.int16)
    metadata = {"lowbit": json.dumps(layout, sort_keys=True)}
    metadata |= {"activations": json.dumps(bits, sort_keys=True)} if bits else {}
    path.write_bytes(serialized(tensors, metadata))  # safetensors' own writer says of a full disk what none expects


def load(path: Path) -> StoredModel:
    """Read what :func:`save` wrote, or any other safetensors file (then nothing in it is coded).

    Raises:
        RobenchError: the file is missing, cut short, not safetensors, or holds codes that do not fit.
    """
    check_data_file(path, "weights file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        layout = checked(Layout, f'{{"weights": {metadata.get("lowbit", "{}")}}}', "its metadata")
        inputs = checked(Inputs, f'{{"layers": {metadata.get("activations", "{}")}}}', "its metadata")
        codes = {name: _weight(name, form, tensors) for name, form in layout.weights.items()}
        activations = {layer: _activation(layer, width, tensors) for layer, width in inputs.layers.items()}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RobenchError(f"the weights file {path} cannot be read ({reason}); fetch or train it again.") from error
    return StoredModel(tensors, codes, activations)


def _activation(layer: str, bits: int, tensors: dict[str, torch.Tensor]) -> ActivationCode:
    scale, zero = (tensors.pop(f"{layer}.input_{part}").item() for part in ("scale", "zero_point"))
    if not (0 < scale < float("inf") and 1 <= bits <= 8 and 0 <= zero < 2**bits):
        raise ValueError(f"the input of {layer} has scale {scale}, zero point {zero} and {bits} bits")
    return ActivationCode(scale, int(zero), bits)


def _weight(name: str, form: Form, tensors: dict[str, torch.Tensor]) -> StoredWeight:
    """One coded weight; its parts are taken out of ``tensors``."""
    encoding = form.encoding or USUAL[form.bits]
    packed, scale = tensors.pop(f"{name}.codes"), tensors.pop(f"{name}.scale")
    if len(scale) <= 2 and (scale < 0).any():
        raise ValueError(f"{name} has negative scales")
    values = unpack(packed, encoding, form.bits, tuple(form.shape))
    return StoredWeight(values, encoding, form.bits, scale, tensors.pop(f"{name}.zero_point", None))
