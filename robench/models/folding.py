"""Batch norm folded into the convolution before it: the same function in eval mode, with fewer passes over memory."""

import copy
from collections import Counter

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy of ``model`` (in eval mode) without the batch norms that follow a convolution.

    A model that cannot be traced (its forward pass depends on the data) comes back as it is.
    """
    try:
        traced = fx.symbolic_trace(copy.deepcopy(model))
    except Exception:  # noqa: BLE001 (tracing runs the user's forward pass, which may fail in any way)
        return model
    modules = dict(traced.named_modules())
    calls = Counter(str(node.target) for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.op == "call_module" and node.args else None
        if (
            not isinstance(before, fx.Node)
            or before.op != "call_module"
            or len(before.users) > 1
            or calls[str(before.target)] > 1
        ):
            continue
        conv, norm = modules[str(before.target)], modules[str(node.target)]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
            parent, _, name = str(before.target).rpartition(".")
            setattr(modules[parent], name, fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.recompile()
    return traced.requires_grad_(False)


def agrees(folded: nn.Module, model: nn.Module, x: torch.Tensor) -> bool:
    """Whether both give the same logits for images ``x``, but for rounding."""
    with torch.inference_mode():
        return torch.allclose(folded(x), model(x), rtol=1e-3, atol=1e-3)
