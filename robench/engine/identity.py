"""What tells one model from another: its parameters, its code, and what it answers."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from robench.core.source import code_digest

LIBRARIES = ("torch", "torchvision", "timm", "robench")
"""Packages whose classes are known by their name."""
PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.Size)


def parameters_sha256(module: nn.Module) -> str:
    """Of a module's parameters and buffers, with their names; what a foreign module keeps beside them counts, too."""
    digest = hashlib.sha256()
    for name, value in _state(module).items():
        digest.update(name.encode())
        for part in _content(value):
            digest.update(part)
    return digest.hexdigest()


def fingerprint(module: nn.Module, digest: str, *logits: torch.Tensor, own: bool = False) -> str:
    """Of a module and of its logits for a few images.

    Neither alone is enough: parameters may hide in a closure, code may change what parameters mean, and a change may
    show in no answer to these images. Logits count to the last bit.

    Args:
        module: the model.
        digest: of the file that it comes from, "" where there is none that matters.
        logits: of the module, and of the runtime that it ships with, if there is one.
        own: it is the user's, whose settings and hooks may change its gradient and nothing else.
    """
    kinds = {type(part) for part in module.modules()}
    names = sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
    classes = sorted(
        (k for k in kinds if k.__module__.partition(".")[0] not in LIBRARIES), key=lambda k: k.__qualname__
    )
    answers = [hashlib.sha256(_bits(answer)).hexdigest() for answer in logits]
    settings = [code_digest(*map(_settings, module.modules()))] if own else []
    parts = [parameters_sha256(module), *names, code_digest(*classes), *answers, *settings, *filter(None, [digest])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _settings(module: nn.Module) -> dict[str, Any]:
    """What a module holds beside parameters, buffers and other modules: numbers, functions, hooks."""
    left_out = ("_parameters", "_buffers", "_modules")
    held = {name: value for name, value in vars(module).items() if name not in left_out}
    return {
        name: list(value.values()) if "hooks" in name and isinstance(value, dict) else value
        for name, value in held.items()
    }


def _state(module: nn.Module) -> dict[str, Any]:
    try:
        return module.state_dict()
    except Exception:  # noqa: BLE001 (a foreign module's own method)
        return {}


def _content(value: Any) -> Iterator[bytes]:
    """The bytes of what a state dict holds; of an object that shows none, its type alone."""
    if isinstance(value, torch.Tensor):
        yield from _tensor(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _content(item)
    elif isinstance(value, dict):
        for item in value.items():
            yield from _content(item)
    else:
        yield repr(value).encode() if isinstance(value, PLAIN) else type(value).__name__.encode()


def _tensor(tensor: torch.Tensor) -> Iterator[bytes]:
    """A plain tensor's bits; of a quantized one the codes with their scales; of a subclass what it wraps."""
    if tensor.is_quantized:
        per_tensor = tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric)
        scales = (
            (tensor.q_scale(), tensor.q_zero_point())
            if per_tensor
            else (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
        )
        yield from _content((tensor.int_repr(), *scales))
    elif hasattr(tensor, "__tensor_flatten__"):
        names, settings = tensor.__tensor_flatten__()
        yield repr(settings).encode()
        yield from _content([getattr(tensor, name) for name in names])
    else:
        yield _bits(tensor)


def _bits(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
