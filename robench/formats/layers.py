"""Convolutions, linear layers and batch norms as modules, which graphs write as functions of weights."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from robench.quantizers.stored import StoredWeight

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    3: nn.Conv1d,
    4: nn.Conv2d,
    5: nn.Conv3d,
}
"""By the dimensions of the weight."""


@dataclass
class Layers:
    """The modules of a graph that is being built, and how their weights are stored.

    Attributes:
        root: holds them.
        stored: by state-dict name, the coded ones.
    """

    root: nn.Module = field(default_factory=nn.Module)
    stored: dict[str, StoredWeight] = field(default_factory=dict)

    def add(self, module: nn.Module, name: str, codes: StoredWeight | None = None) -> str:
        """Add a module; gives the name that it gets, which is the one that is asked for unless that is taken."""
        path = ".".join(_identifier(part) for part in name.split(".") if part) or "layer"
        unique, number = path, 2
        while _taken(self.root, unique):
            unique, number = f"{path}_{number}", number + 1
        _put(self.root, unique, module)
        if codes is not None:
            self.stored[f"{unique}.weight"] = codes
        return unique


def named_after(weight: str, otherwise: str) -> str:
    """The name of a layer whose weight has a name: ``features.0`` for ``features.0.weight``."""
    match = re.fullmatch(r"(.+)[./](?:weight|kernel)(?:_quantized|_\d+)?", weight)
    return match[1] if match else otherwise


def convolution(
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> nn.Module:
    """A convolution with a weight [F, C / groups, ...]."""
    filters, channels, *kernel = weight.shape
    settings = {"stride": tuple(stride), "dilation": tuple(dilation), "groups": groups}
    build = CONVOLUTIONS[weight.dim()]
    padding = padding if isinstance(padding, str) else tuple(padding)
    with torch.device("meta"):
        layer = build(channels * groups, filters, tuple(kernel), padding=padding, bias=bias is not None, **settings)  # type: ignore[arg-type]
    return _filled(layer, weight, bias)


def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Module:
    """A linear layer with a weight [outputs, inputs]."""
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    return _filled(layer, weight, bias)


def batch_norm(
    scale: torch.Tensor | None, shift: torch.Tensor | None, mean: torch.Tensor, variance: torch.Tensor, eps: float
) -> nn.Module:
    """A batch norm of 4-dimensional activations, in eval mode."""
    layer = nn.BatchNorm2d(len(mean), eps=eps)
    ones, zeros = torch.ones_like(mean), torch.zeros_like(mean)
    state = {
        "weight": ones if scale is None else scale,
        "bias": zeros if shift is None else shift,
        "running_mean": mean,
        "running_var": variance,
        "num_batches_tracked": torch.tensor(0),
    }
    layer.load_state_dict(state)
    return layer.eval()


def _filled(layer: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Module:
    layer.weight = nn.Parameter(weight.detach().float().contiguous().clone(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().float().contiguous().clone(), requires_grad=False)
    return layer.eval()


def _identifier(text: str) -> str:
    """Text that torch takes as the name of a module."""
    word = re.sub(r"\W+", "_", text).strip("_") or "_"
    return f"{word}_" if hasattr(nn.Module, word) else word


def _taken(root: nn.Module, path: str) -> bool:
    module: object = root
    for part in path.split("."):
        if not hasattr(module, part):
            return False
        module = getattr(module, part)
    return True


def _put(root: nn.Module, path: str, module: nn.Module) -> None:
    *parents, last = path.split(".")
    for part in parents:
        if part not in dict(root.named_children()):
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.add_module(last, module)
