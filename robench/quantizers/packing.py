"""Low-bit weights on disk: packed codes and scales in safetensors, read back bit for bit, without running code."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from robench.core.errors import RobenchError
from robench.quantizers.base import LowBit

SMALLEST_GROUP = 8


def pack(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """int8 codes [F, ...] in {-1, 0, +1} -> uint8 [F, bytes]; rows are flattened and padded to whole bytes.

    1 bit: -1 is 0, +1 is 1. 2 bits: -1, 0, +1 are 00, 01, 10.
    """
    rows = codes.flatten(1).numpy()
    stored = rows > 0 if bits == 1 else np.stack([rows == 1, rows == 0], axis=-1).reshape(len(rows), -1)
    return torch.from_numpy(np.packbits(stored, axis=1))


def unpack(packed: torch.Tensor, bits: int, shape: tuple[int, ...]) -> torch.Tensor:
    """The inverse of :func:`pack`; the unused 2-bit code 11 reads as 0."""
    length = int(np.prod(shape[1:]))
    stored = np.unpackbits(packed.numpy(), axis=1, count=length * bits).astype(np.int8)
    if bits == 1:
        codes = 2 * stored - 1
    else:
        high, low = stored[:, 0::2], stored[:, 1::2]
        codes = (2 * high + low - 1) * (1 - high * low)
    return torch.from_numpy(codes.reshape(shape))


def recognise(weight: torch.Tensor) -> LowBit | None:
    """The low-bit form of a float32 weight [F, ...] that holds low-bit values already; None where it does not.

    Per tensor or per filter, all negative weights must share one magnitude and all positive ones another (or the same).
    """
    codes = weight.sign().to(torch.int8)
    for rows in (weight.reshape(1, -1), weight.flatten(1)):
        scale = torch.stack([(-rows).amax(1), rows.amax(1)]).clamp(min=0)
        if torch.equal(scale[0], scale[1]) or not (codes < 0).any():
            scale = scale[1:]
        lowbit = LowBit(codes, scale, 2 if (codes == 0).any() else 1)
        if rows.shape[1] >= SMALLEST_GROUP and torch.equal(lowbit.dequantize(), weight):
            return lowbit
    return None


def save(path: Path, floats: dict[str, torch.Tensor], lowbits: dict[str, LowBit]) -> None:
    """Write float tensors as they are and low-bit ones as ``<name>.codes`` and ``<name>.scale``."""
    tensors = {name: tensor.contiguous() for name, tensor in floats.items()}
    layout = {}
    for name, lowbit in lowbits.items():
        tensors[f"{name}.codes"] = pack(lowbit.codes, lowbit.bits)
        tensors[f"{name}.scale"] = lowbit.scale.contiguous()
        layout[name] = {"bits": lowbit.bits, "shape": list(lowbit.codes.shape)}
    table = {"1": {"0": -1, "1": 1}, "2": {"00": -1, "01": 0, "10": 1}}
    save_file(tensors, path, metadata={"lowbit": json.dumps(layout, sort_keys=True), "codes": json.dumps(table)})


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, LowBit]]:
    """Read what :func:`save` wrote, or any other safetensors file (then nothing in it is low-bit).

    Raises:
        RobenchError: the file is missing, cut short or not safetensors.
    """
    try:
        with safe_open(path, framework="pt") as file:
            layout = json.loads((file.metadata() or {}).get("lowbit", "{}"))
            floats = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        lowbits = {}
        for name, form in layout.items():
            codes = unpack(floats.pop(f"{name}.codes"), form["bits"], tuple(form["shape"]))
            lowbits[name] = LowBit(codes, floats.pop(f"{name}.scale"), form["bits"])
    except FileNotFoundError as error:
        raise RobenchError(f"there is no weights file at {path}; check the path.") from error
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise RobenchError(f"the weights file {path} cannot be read ({reason}); fetch or train it again.") from error
    return floats, lowbits
