"""Which layers carry weights, and which of them a low-bit recipe quantizes."""

from torch import nn

Weighted = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear


def weighted_layers(model: nn.Module) -> dict[str, Weighted]:
    """Convolutions and linear layers by name, in the model's order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, Weighted)}


def count_weights(model: nn.Module) -> int:
    """Weights in convolutions and linear layers."""
    return sum(layer.weight.numel() for layer in weighted_layers(model).values())


def inner_layers(model: nn.Module) -> dict[str, Weighted]:
    """The layers that are quantized by default: all weighted ones but the first and the last (FP by convention)."""
    return dict(list(weighted_layers(model).items())[1:-1])
