"""Batch norm folded into the convolution before it: the same function in eval mode, with fewer passes over memory."""

from collections import Counter

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights
from torch.nn.utils.parametrize import is_parametrized

from robench.engine.substituted import Substituted
from robench.engine.tracing import trace

Fold = tuple[nn.Conv2d, nn.BatchNorm2d, nn.Conv2d]


class Folded(nn.Module):
    """A traced model without the batch norms that follow a convolution; it keeps nothing between forward passes.

    All other weights are shared with the model that it was made from.

    Args:
        graph: the traced model.
        folds: (convolution, batch norm, what replaces both in the graph).
    """

    def __init__(self, graph: fx.GraphModule, folds: list[Fold]) -> None:
        super().__init__()
        self.graph = graph
        self.folds = folds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the model gives for x."""
        logits: torch.Tensor = self.graph.forward(x)  # a call of the graph would print what fails in it
        return logits

    def refresh(self, changed: torch.Tensor | None = None) -> None:
        """Fold again, after weights of the model have changed: the one that is given, or any."""
        for conv, norm, fused in self.folds:
            if changed is not None and changed is not conv.weight:
                continue
            assert norm.running_mean is not None
            assert norm.running_var is not None
            assert fused.bias is not None
            weight, bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            fused.weight.data.copy_(weight)
            fused.bias.data.copy_(bias)

    def used_for(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The parameter that the graph computes with in place of a weight; and its factor, one for each filter."""
        for conv, norm, fused in self.folds:
            if weight is conv.weight:
                assert norm.running_var is not None
                root = torch.rsqrt(norm.running_var + norm.eps)
                return fused.weight, root if norm.weight is None else norm.weight * root
        return weight, None


def unfolded(model: nn.Module) -> Folded | None:
    """``model`` as a graph, with its batch norms; None where its forward pass depends on the data."""
    try:
        return Folded(trace(model), [])
    except Exception:  # noqa: BLE001 (tracing runs the user's forward pass, which may fail in any way)
        return None


def fold_batch_norm(model: nn.Module) -> Folded | None:
    """``model`` (in eval mode) with folded batch norms; None where its forward pass depends on the data."""
    plain = unfolded(model)
    if plain is None:
        return None
    traced = plain.graph
    modules = dict(traced.named_modules())
    calls = Counter(str(node.target) for node in traced.graph.nodes if node.op == "call_module")
    folds: list[Fold] = []
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
        if is_parametrized(conv) or isinstance(conv, Substituted):  # it computes with another weight than its own
            continue
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
            fused = fuse_conv_bn_eval(conv, norm)
            fused.weight.data = fused.weight.data.contiguous(memory_format=torch.channels_last)
            folds.append((conv, norm, fused))
            parent, _, name = str(before.target).rpartition(".")
            setattr(modules[parent], name, fused)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.recompile()
    return Folded(traced, folds)


def agrees(folded: nn.Module, model: nn.Module, x: torch.Tensor) -> bool:
    """Whether both give the same logits for images ``x``, but for rounding; what fails on them does not."""
    try:
        with torch.no_grad():
            ours, theirs = folded(x), model(x)
    except Exception:  # noqa: BLE001 (the forward pass may be the user's own, and fail in any way)
        return False
    return ours.shape == theirs.shape and torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)
