"""Surrogate gradients for steps whose own gradient is zero everywhere (BPDA: Athalye et al. 2018, arXiv:1802.00420)."""

import copy
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import fx, nn

from robench.engine.folding import Folded
from robench.engine.tracing import Opaque, OwnBackward, Tracer

ROUNDINGS = ("round", "floor", "ceil", "trunc", "fix")
SIGNS = ("sign", "sgn")
COMPARISONS = {"gt": 1, "ge": 1, "greater": 1, "greater_equal": 1, "lt": -1, "le": -1, "less": -1, "less_equal": -1}
"""How a comparison's result goes with its first operand."""
CASTS = ("float", "to", "type", "type_as", "double", "half", "bfloat16", "mul", "rmul", "sub", "add", "int", "long")
"""What makes numbers of a comparison's result."""


class Surrogate(Folded):
    """A model whose gradient is not its own."""


def straight_through(model: Folded, *, comparisons: bool = False) -> Surrogate | None:
    """The same function, in which rounding passes its gradient on and a sign passes it on where |x| < 1.

    Functions with a backward of their own are gone into, and treated likewise.

    Args:
        model: the traced model.
        comparisons: treat ``torch.where(x >= 0, 1, -1)`` and ``(x > 0).float()`` as signs, too. A model may have them
            beside a gradient that it passes on in another way, so this is for models that have no gradient otherwise.

    Returns:
        The copy, which shares its weights with ``model``; None where the model has no such step.
    """
    found = has_own_backward(model)
    graph = opened(model)
    for node in list(graph.nodes):
        name = name_of(node)
        if name in ROUNDINGS + SIGNS:
            node.target, node.op = _surrogate(name), "call_function"
            found = True
        elif comparisons and name in COMPARISONS and len(node.args) == 2:
            found |= replace_comparison(graph, node, _hard_step, _choice)
    return Surrogate(fx.GraphModule(model.graph, graph), model.folds) if found else None


def has_surrogates(model: nn.Module) -> bool:
    """Whether robench passes a gradient on, somewhere in a model, that is not the function's own."""
    return any(isinstance(part, Surrogate) or (isinstance(part, Opaque) and part.surrogate) for part in model.modules())


def has_own_backward(model: Folded) -> bool:
    """Whether a step of a traced model has a backward that its author wrote."""
    return any(isinstance(node.target, OwnBackward) for node in model.graph.graph.nodes)


def opened(model: Folded) -> fx.Graph:
    """A copy of a traced model's graph, with the steps of functions that have a backward of their own laid open."""
    return _Opener(model.graph).transform().graph if has_own_backward(model) else copy.deepcopy(model.graph.graph)


class _Opener(fx.Transformer):
    """Goes into functions with a backward of their own; those that cannot be traced stay what they are."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        tracer = Tracer()  # the functions are the user's own, and are kept within torch here as well
        tracer.graph, tracer.root, tracer.tensor_attrs = self.new_graph, module, {}
        self.tracer = tracer  # type: ignore[assignment]

    def placeholder(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Proxy:
        """The input."""
        return self.tracer.proxy(super().placeholder(target, args, kwargs).node)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One step of the graph."""
        if isinstance(target, OwnBackward):
            try:
                return target.opened(*args)
            except Exception:  # noqa: BLE001 (the forward pass is the user's own, and may depend on the data)
                return super().call_function(target, args, kwargs)
        return super().call_function(target, args, kwargs)


def name_of(node: fx.Node) -> str:
    """Of the function or method that a step of a graph calls; "" for other steps."""
    if node.op == "call_method":
        return str(node.target)
    # Torch's own operators, of which exported programs are made, are named as in ``sign.default``.
    name: str = getattr(node.target, "__name__", "") if node.op == "call_function" else ""
    return name.partition(".")[0]


def _surrogate(name: str) -> Callable[..., torch.Tensor]:
    def step(x: torch.Tensor, **settings: Any) -> torch.Tensor:
        slope = x.clamp(-1, 1) if name in SIGNS else x
        hard: torch.Tensor = getattr(torch, name)(x.detach(), **settings)
        return hard + (slope - slope.detach())

    return step


def replace_comparison(
    graph: fx.Graph, node: fx.Node, step: Callable[..., torch.Tensor], choice: Callable[..., torch.Tensor]
) -> bool:
    """Let a comparison pass a gradient on to those of its users that make two numbers of it; whether there are any.

    Args:
        graph: changed in place.
        node: the comparison.
        step: (its outcome, first, second, which way it goes with the first) -> 0 and 1, or what lies between.
        choice: (such a step, first, second) -> one of two numbers, or what lies between.
    """
    casts, choices = _numbers_of(node)
    if not casts and not choices:
        return False
    with graph.inserting_after(node):
        result = graph.call_function(step, (node, *node.args, COMPARISONS[name_of(node)]))
    for user in casts:
        user.replace_input_with(node, result)
    for user in choices:
        user.target, user.op, user.args, user.kwargs = choice, "call_function", (result, *user.args[1:]), {}
    return True


def _numbers_of(node: fx.Node) -> tuple[list[fx.Node], list[fx.Node]]:
    """Of the users of a comparison those that make numbers of it, and those that choose one of two numbers by it."""
    casts = [user for user in node.users if name_of(user) in CASTS]
    choices = [user for user in node.users if name_of(user) == "where" and _chooses_numbers(user, node)]
    return casts, choices


def _chooses_numbers(user: fx.Node, condition: fx.Node) -> bool:
    numbers = user.args[1:]
    return user.args[0] is condition and len(numbers) == 2 and all(map(_is_known, numbers))


def _is_known(value: Any) -> bool:
    """Whether a value is a number, or a tensor that no image changes."""
    if isinstance(value, fx.Node):
        return value.op != "placeholder" and all(map(_is_known, value.all_input_nodes))
    return isinstance(value, Real)


def _hard_step(outcome: torch.Tensor, first: Any, second: Any, way: int) -> torch.Tensor:
    """The outcome of a comparison as 0 or 1; its gradient is that of (1 + clip(first - second, -1, 1)) / 2."""
    slope = way * (first - second).clamp(-1, 1) / 2
    return outcome.to(slope.dtype) + (slope - slope.detach())


def _choice(step: torch.Tensor, first: Any, second: Any) -> torch.Tensor:
    first, second = (torch.as_tensor(value, dtype=step.dtype, device=step.device) for value in (first, second))
    hard = torch.where(step.detach() > 0.5, first, second)
    return hard + (first - second) * (step - step.detach())
