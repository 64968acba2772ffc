"""Stored weights on disk: packed codes and scales in safetensors, read back bit for bit, without running code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from robench.core.errors import RobenchError
from robench.quantizers.stored import StoredWeight, coded, unpack

SMALLEST_GROUP = 8
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
    save_file(tensors, path, metadata=metadata | ({"activations": json.dumps(bits, sort_keys=True)} if bits else {}))


def load(path: Path) -> StoredModel:
    """Read what :func:`save` wrote, or any other safetensors file (then nothing in it is coded).

    Raises:
        RobenchError: the file is missing, cut short, not safetensors, or holds codes that do not fit.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        layout, bits = (json.loads(metadata.get(key, "{}")) for key in ("lowbit", "activations"))
        codes = {name: _weight(name, form, tensors) for name, form in layout.items()}
        activations = {layer: _activation(layer, int(width), tensors) for layer, width in bits.items()}
    except FileNotFoundError as error:
        raise RobenchError(f"there is no weights file at {path}; check the path.") from error
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RobenchError(f"the weights file {path} cannot be read ({reason}); fetch or train it again.") from error
    return StoredModel(tensors, codes, activations)


def _activation(layer: str, bits: int, tensors: dict[str, torch.Tensor]) -> ActivationCode:
    scale, zero = (tensors.pop(f"{layer}.input_{part}").item() for part in ("scale", "zero_point"))
    if not (0 < scale < float("inf") and 1 <= bits <= 8 and 0 <= zero < 2**bits):
        raise ValueError(f"the input of {layer} has scale {scale}, zero point {zero} and {bits} bits")
    return ActivationCode(scale, int(zero), bits)


def _weight(name: str, form: dict[str, Any], tensors: dict[str, torch.Tensor]) -> StoredWeight:
    """One coded weight; its parts are taken out of ``tensors``."""
    bits = int(form["bits"])
    encoding = str(form["encoding"] if "encoding" in form else USUAL[bits])
    packed, scale = tensors.pop(f"{name}.codes"), tensors.pop(f"{name}.scale")
    values = unpack(packed, encoding, bits, tuple(map(int, form["shape"])))
    return StoredWeight(values, encoding, bits, scale, tensors.pop(f"{name}.zero_point", None))
