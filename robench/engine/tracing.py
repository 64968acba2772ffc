"""A model's forward pass as a graph, in which a backward of the model's own stays what it is.

A trace never goes beyond torch: another runtime that is handed a placeholder may end the process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

LEAVES_TORCH = {
    *("numpy", "tolist", "item", "data_ptr", "storage", "untyped_storage", "__array__"),
    *("__array_interface__", "__array_struct__", "__dlpack__", "__dlpack_device__", "__cuda_array_interface__"),
}
"""Attributes by which a tensor is handed to what is not torch."""


class Opaque(nn.Module):
    """A step that a trace records as one call and does not look into: its forward pass only ever sees tensors.

    Attributes:
        surrogate: robench made the step, and passes a gradient on that is not the function's own.
    """

    surrogate = False


class _Placeholder(fx.Proxy):
    """What stands for a tensor while a model is traced; it cannot leave torch."""

    def __getattr__(self, name: str) -> Any:
        if name in LEAVES_TORCH:
            raise fx.proxy.TraceError(f"the model leaves torch by {name}")
        return super().__getattr__(name)

    def __array__(self, *args: Any, **settings: Any) -> Any:
        raise fx.proxy.TraceError("the model leaves torch for NumPy")


class Tracer(fx.Tracer):
    """torch.fx's own, which stays within torch and out of what is opaque."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """What stands for the result of a step."""
        return _Placeholder(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one step."""
        return isinstance(m, Opaque) or super().is_leaf_module(m, module_qualified_name)


class OwnBackward:
    """A step of a graph that is an ``autograd.Function``: it computes forward and backward as its author wrote them."""

    def __init__(self, function: type[torch.autograd.Function]) -> None:
        self.function = function
        self.__name__ = function.__name__

    def __call__(self, *args: Any) -> Any:
        """What the function gives, with its own backward."""
        return self.function.apply(*args)

    def opened(self, *args: Any) -> Any:
        """The steps of its forward pass alone, whose gradients are theirs."""
        if _has_setup(self.function):
            return self.function.forward(*args)
        return self.function.forward(_Context(), *args)


class _Context:
    """Stands where a function keeps what its backward needs, and keeps nothing."""

    def save_for_backward(self, *tensors: Any) -> None:
        """Nothing."""

    save_for_forward = mark_dirty = mark_non_differentiable = set_materialize_grads = save_for_backward


def trace(model: nn.Module) -> fx.GraphModule:
    """The graph of a model's forward pass, which shares its weights with the model.

    Every ``autograd.Function`` is one step of it (see ``OwnBackward``): torch.fx itself would go on into a function's
    forward pass, and lose its backward.

    Raises:
        Exception: of any kind, where the forward pass, which may be the user's own, depends on the data or fails.
    """
    if isinstance(model, Opaque):
        raise fx.proxy.TraceError("it is opaque")
    if "forward" in vars(model) or model._forward_hooks or model._forward_pre_hooks:  # noqa: SLF001 (no public way)
        raise fx.proxy.TraceError("torch.fx calls the class's forward, and sees neither hooks nor the module's own one")
    tracer = Tracer()
    with _functions_are_steps():
        graph = tracer.trace(model)
    return fx.GraphModule(tracer.root, graph, type(model).__name__)


@contextmanager
def _functions_are_steps() -> Iterator[None]:
    # Their forward passes are replaced, not ``apply``: a program may hold that under any name (``sign = Sign.apply``).
    # Each class gets one, as one that inherits its forward pass may have a backward of its own.
    replaced = [(function, _replacements(function)) for function in _subclasses(torch.autograd.Function)]
    before = [(function, dict(vars(function))) for function, _ in replaced]
    try:
        for function, methods in replaced:
            for name, method in methods.items():
                setattr(function, name, staticmethod(method))
        yield
    finally:
        for (function, methods), (_, own) in zip(replaced, before, strict=True):
            for name in methods:
                if name in own:
                    setattr(function, name, own[name])
                elif name in vars(function):
                    delattr(function, name)


def _replacements(function: type[torch.autograd.Function]) -> dict[str, Callable[..., Any]]:
    setup = _has_setup(function)
    methods = {"forward": _recorded(function, function.forward, setup)}
    return methods | ({"setup_context": _unless_traced(function.setup_context)} if setup else {})


def _recorded(function: type[torch.autograd.Function], forward: Callable[..., Any], setup: bool) -> Callable[..., Any]:
    """A forward pass that becomes one step of the graph where it is given a part of one."""

    def run(*args: Any) -> Any:
        own = args if setup else args[1:]
        proxy = next((arg for arg in own if isinstance(arg, fx.Proxy)), None)
        if proxy is None:
            return forward(*args)
        return proxy.tracer.create_proxy("call_function", OwnBackward(function), own, {})

    return run


def _unless_traced(setup_context: Callable[..., Any]) -> Callable[..., Any]:
    def run(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        if not any(isinstance(value, fx.Proxy) for value in (*inputs, output)):
            setup_context(ctx, inputs, output)

    return run


def _has_setup(function: type[torch.autograd.Function]) -> bool:
    """Whether a function's forward pass takes no context, which is set up apart from it."""
    return function.setup_context is not torch.autograd.Function.setup_context


def _subclasses(kind: type[Any]) -> set[type[Any]]:
    children = [child for child in kind.__subclasses__() if not child.__module__.startswith("torch.")]
    return set(children).union(*map(_subclasses, children))
