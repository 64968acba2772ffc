"""Modules of the user's whose forward pass is given something else, or gives something else, under their own names."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import fx, nn

Forward = Callable[..., Any]


def change_forward(module: nn.Module, change: Callable[[Forward], Forward]) -> None:
    """Let a module, and its copies, have another forward pass; the names of its weights stay what they are.

    Args:
        module: changed in place; its class becomes a subclass of its own.
        change: makes the new forward pass (self, x) -> result of that of its class.
    """
    kind = type(module)
    names: dict[str, Any] = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    names["forward"] = wraps(kind.forward)(change(kind.forward))
    if isinstance(module, fx.GraphModule):  # a copy of one is made anew from its graph, and of torch's own class

        def copied(self: Any, memo: dict[int, Any]) -> Any:
            result = kind.__deepcopy__(self, memo)  # type: ignore[attr-defined]
            change_forward(result, change)
            return result

        names["__deepcopy__"] = copied
    module.__class__ = type(kind.__name__, (kind,), names)
