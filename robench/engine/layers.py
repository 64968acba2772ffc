"""Which parameters are weights, and which of them a low-bit recipe quantizes."""

import torch
from torch import nn

from robench.engine.substituted import SEEN, Substituted, is_hidden

Weighted = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
IN_PROJECTION = "in_proj_weight"


def weighted_layers(model: nn.Module) -> dict[str, Weighted]:
    """Convolutions and linear layers by name, in the model's order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, Weighted)}


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weight tensors of a model by state-dict name, in its order.

    Those of convolutions and linear layers, and the packed query, key and value weights of ``nn.MultiheadAttention``,
    which computes with them itself; of a module that computes its weights in each forward pass, those that were seen
    there (see ``robench.engine.seen``).
    """
    found: dict[str, torch.Tensor] = {}
    tied: set[int] = set()  # a tensor that two layers share is one weight, under its first name
    for name, module in model.named_modules():
        dot = f"{name}." if name else ""
        if isinstance(module, Substituted):
            found |= {f"{dot}{SEEN}.{number}": weight for number, weight in enumerate(module.seen_weights)}
        elif isinstance(module, Weighted) and not is_hidden(module, "weight"):
            weight = module.weight
            if id(weight) not in tied:
                found[f"{dot}weight"] = weight
            tied.add(id(weight))
        elif isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            found[f"{dot}{IN_PROJECTION}"] = module.in_proj_weight
    return found


def inner_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that are quantized by default: all but the first and the last (full precision by convention)."""
    return dict(list(weights(model).items())[1:-1])


def count_weights(model: nn.Module) -> int:
    """How many weights a model has."""
    return sum(weight.numel() for weight in weights(model).values())


def inner_layers(model: nn.Module) -> dict[str, Weighted]:
    """Convolutions and linear layers but for the first and the last."""
    return dict(list(weighted_layers(model).items())[1:-1])


def layer_of(weight: str) -> str:
    """The name that a weight's layer goes by: ``fc`` for ``fc.weight``; ``attention.in_proj_weight`` as it is.

    The first weight that was seen in a module is its only one as a rule, and goes by the module's name.
    """
    return weight.removesuffix(".weight").removesuffix(f".{SEEN}.0")
