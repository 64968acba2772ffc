"""A smooth copy of a model that takes signs or rounds, whose gradient is that of the function it computes."""

from typing import Any

import torch
from torch import fx, nn

from robench.engine.blocked import Blocked
from robench.engine.folding import Folded, unfolded
from robench.engine.surrogate import COMPARISONS, ROUNDINGS, SIGNS, Surrogate, name_of, opened, replace_comparison

SHARPNESS = 2.0
"""Of the tanh that stands for a sign: steep enough to answer as the model does, flat enough to show where it leads."""


def smoothed(exact: Blocked) -> Blocked | None:
    """A copy in which a sign is a tanh, and rounding leaves a number as it is; None where the model has no such step.

    Straight-through terms (``x - x.detach()``) cancel in it, so that its gradient is that of the function it computes.
    Rounding of a layer's inputs to codes of 8 bits, which changes a number by less than 0.2% of its range, stays.

    Args:
        exact: the model in float32.
    """
    traced = exact.model if isinstance(exact.model, Folded) else unfolded(exact.model)
    if traced is None:
        return None
    graph = opened(traced)
    changed = [_soften(graph, node) for node in list(graph.nodes)]
    if not any(changed):
        return None
    for node in list(graph.nodes):
        if name_of(node) == "detach":
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    copy = Surrogate(fx.GraphModule(traced.graph, graph), traced.folds)
    return Blocked(copy, exact.sizes[-1:], exact.workers)


def _soften(graph: fx.Graph, node: fx.Node) -> bool:
    name = name_of(node)
    if name in SIGNS:
        node.target, node.op, node.kwargs = _tanh, "call_function", {}
    elif name in ROUNDINGS:
        node.target, node.op, node.args, node.kwargs = _same, "call_function", node.args[:1], {}
    elif name in COMPARISONS and len(node.args) == 2:
        return replace_comparison(graph, node, _step, _between)
    else:
        return False
    return True


def _tanh(x: torch.Tensor) -> torch.Tensor:
    return (SHARPNESS * x).tanh()


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _step(outcome: torch.Tensor, first: Any, second: Any, way: int) -> torch.Tensor:
    """A comparison as a number between 0 and 1."""
    result: torch.Tensor = (1 + _tanh(way * (first - second))) / 2
    return result


def _between(step: torch.Tensor, first: float, second: float) -> torch.Tensor:
    return second + (first - second) * step


class Averaged(nn.Module):
    """The mean logits of several forward passes, for a model that draws random numbers in each.

    Its gradient is the expectation over the model's own transformations (EOT: Athalye et al. 2018, arXiv:1707.07397),
    taken over logits.

    Args:
        model: pixels in [0, 1] -> logits.
        passes: how many.
    """

    def __init__(self, model: nn.Module, passes: int) -> None:
        super().__init__()
        self.model, self.passes = model, passes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] -> [N, classes]."""
        total: torch.Tensor = self.model(x)
        for _ in range(self.passes - 1):
            total = total + self.model(x)
        return total / self.passes


def averaged(model: Blocked, passes: int) -> Blocked:
    """The same in blocks; it is not its own model in low precision, so that nothing of that is made use of."""
    return Blocked(Averaged(model.model, passes), model.sizes[-1:], model.workers)
