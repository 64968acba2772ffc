"""What tells one model from another: its parameters, its code, and what it answers."""

import hashlib

import torch
from torch import nn

from robench.core.source import code_digest

LIBRARIES = ("torch", "torchvision", "timm", "robench")
"""Packages whose classes are known by their name."""


def parameters_sha256(module: nn.Module) -> str:
    """Of a module's parameters and buffers, with their names."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            digest.update(name.encode())
            digest.update(_bits(tensor))
    return digest.hexdigest()


def fingerprint(module: nn.Module, logits: torch.Tensor) -> str:
    """Of a module and of its logits for a few images.

    Neither alone is enough: parameters may hide in a closure, code may change what parameters mean, and a change may
    show in no answer to these images. Logits count to the last bit.
    """
    kinds = {type(part) for part in module.modules()}
    names = sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
    own = sorted((k for k in kinds if k.__module__.partition(".")[0] not in LIBRARIES), key=lambda k: k.__qualname__)
    parts = [parameters_sha256(module), *names, code_digest(*own), hashlib.sha256(_bits(logits)).hexdigest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _bits(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
