"""Surrogate gradients for steps whose own gradient is zero everywhere (BPDA: Athalye et al. 2018, arXiv:1802.00420)."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from robench.engine.folding import Folded

ROUNDINGS = ("round", "floor", "ceil", "trunc", "fix")
SIGNS = ("sign", "sgn")


class Surrogate(Folded):
    """A model whose gradient is not its own."""


def straight_through(model: Folded) -> Surrogate | None:
    """The same function, in which rounding passes its gradient on and a sign passes it on where |x| < 1.

    Returns:
        The copy, which shares its weights with ``model``; None where the model has no such step.
    """
    graph = copy.deepcopy(model.graph.graph)
    steps = [node for node in graph.nodes if _name(node) in ROUNDINGS + SIGNS]
    for node in steps:
        node.target, node.op = _surrogate(_name(node)), "call_function"
    return Surrogate(fx.GraphModule(model.graph, graph), model.folds) if steps else None


def _name(node: fx.Node) -> str:
    if node.op == "call_method":
        return str(node.target)
    return getattr(node.target, "__name__", "") if node.op == "call_function" else ""


def _surrogate(name: str) -> Callable[..., torch.Tensor]:
    def step(x: torch.Tensor, **settings: Any) -> torch.Tensor:
        slope = x.clamp(-1, 1) if name in SIGNS else x
        hard: torch.Tensor = getattr(torch, name)(x.detach(), **settings)
        return hard + (slope - slope.detach())

    return step
