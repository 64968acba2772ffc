"""Tracing a forward pass, and never beyond torch: another runtime that is handed a placeholder may end the process."""

from typing import Any

from torch import fx, nn

LEAVES_TORCH = {
    *("numpy", "tolist", "item", "data_ptr", "storage", "untyped_storage", "__array__"),
    *("__array_interface__", "__array_struct__", "__dlpack__", "__dlpack_device__", "__cuda_array_interface__"),
}
"""Attributes by which a tensor is handed to what is not torch."""


class Opaque(nn.Module):
    """A step that a trace records as one call and does not look into: its forward pass only ever sees tensors."""


class _Placeholder(fx.Proxy):
    """What stands for a tensor while a model is traced; it cannot leave torch."""

    def __getattr__(self, name: str) -> Any:
        if name in LEAVES_TORCH:
            raise fx.proxy.TraceError(f"the model leaves torch by {name}")
        return super().__getattr__(name)

    def __array__(self, *args: Any, **settings: Any) -> Any:
        raise fx.proxy.TraceError("the model leaves torch for NumPy")


class _Tracer(fx.Tracer):
    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Placeholder(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Opaque) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.GraphModule:
    """The graph of a model's forward pass, which shares its weights with the model.

    Raises:
        Exception: of any kind; the forward pass, which may be the user's own, cannot be traced.
    """
    if isinstance(model, Opaque):
        raise fx.proxy.TraceError("it is opaque")
    tracer = _Tracer()
    graph = tracer.trace(model)
    return fx.GraphModule(tracer.root, graph, type(model).__name__)
