"""Layers that compute their weight in each forward pass, with a parameter in place of what they compute.

The convolution or linear layer is given the parameter, whose values can be distorted; whatever the module does before
that (its quantizer, on latent weights or on codes in a buffer) goes on, and its result is not used.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import wraps
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

SEEN = "seen_weights"
_ATEN = [getattr(torch.ops.aten, name) for name in ("conv1d", "conv2d", "conv3d", "convolution", "linear")]
LAYERS = frozenset({
    *(torch.conv1d, torch.conv2d, torch.conv3d, torch.convolution, nn.functional.linear),
    *_ATEN,
    *(operator.default for operator in _ATEN),
})  # fmt: skip
"""Functions whose second argument, or ``weight``, is a weight."""
HOLDERS = (nn.ParameterList, nn.ParameterDict, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class Substituted:
    """Marks a module whose layers compute with its ``seen_weights``, in the order of the calls.

    Attributes:
        seen_weights: the module's state.
        given: the same parameters, where ``torch.func.functional_call`` does not put others in their place.
    """

    seen_weights: nn.ParameterList
    given: tuple[nn.Parameter, ...]


def substitute(module: nn.Module, weights: Iterable[torch.Tensor]) -> None:
    """Let the layers that a module calls itself compute with these weights from now on.

    Args:
        module: changed in place; its class becomes a subclass of its own.
        weights: one for each call in a forward pass.
    """
    kept = [nn.Parameter(weight.detach().clone(), requires_grad=False) for weight in weights]
    module.seen_weights = nn.ParameterList(kept)
    module.given = tuple(kept)  # type: ignore[assignment]
    module.__class__ = _subclass(type(module))


def retire(module: nn.Module, sizes: Collection[int], idle: Iterable[nn.Module]) -> None:
    """Let the tensors from which a module computes its weights be no part of its state; they still move with it.

    Args:
        module: one with weights in place of those that it computes.
        sizes: how many numbers these have; so many its latent weights, or codes, have as well.
        idle: parts of it that call no layer; of those, lists of parameters, convolutions and linear layers hold weights
            for the module.
    """
    kept = {id(part.seen_weights) for part in module.modules() if isinstance(part, Substituted)}
    holders = [part for part in idle if isinstance(part, HOLDERS) and id(part) not in kept]
    for part in [module, *holders]:
        for name, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            if tensor.dim() > 1 and tensor.numel() in sizes:
                hide(part, name, tensor)


def substitute_named(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Do all this with the modules that a state dict has seen weights of; what it does not have is hidden."""
    found: dict[str, list[torch.Tensor]] = {}
    for name, tensor in state.items():
        owner, mark, number = f".{name}".rpartition(f".{SEEN}.")
        if mark and number.isdigit():
            found.setdefault(owner.removeprefix("."), []).append(tensor)
    modules = dict(model.named_modules())
    for owner in found.keys() & modules.keys():
        substitute(modules[owner], found[owner])
        for name, tensor in modules[owner].state_dict(keep_vars=True).items():
            if f"{owner}.{name}".removeprefix(".") not in state and tensor.dim() > 1:
                holder, _, attribute = name.rpartition(".")
                hide(modules[owner].get_submodule(holder), attribute, tensor)


def is_hidden(module: nn.Module, name: str) -> bool:
    """Whether a tensor of a module is no part of its state."""
    return name in module._non_persistent_buffers_set  # noqa: SLF001 (there is no public way to ask)


def hide(module: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Let a tensor of a module be no part of its state; it still moves with it."""
    delattr(module, name)
    module.register_buffer(name, tensor.detach(), persistent=False)


def _subclass(kind: type[nn.Module]) -> type[nn.Module]:
    @wraps(kind.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _Giving(self):
            return kind.forward(self, *args, **kwargs)

    names = {"forward": forward, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (Substituted, kind), names)


class _Giving(TorchFunctionMode):
    """During one forward pass of a module, gives its layers its seen weights."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._weights = iter(module.given)
        self._others = {id(weight) for child in module.modules() for weight in _given(child)}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """A function of torch's that is called in the forward pass."""
        kwargs = kwargs or {}
        if func in LAYERS and not self._is_anothers(own := weight_of(args, kwargs)):
            weight = next(self._weights, own)
            args, kwargs = (args[0], weight, *args[2:]), {k: v for k, v in kwargs.items() if k != "weight"}
        return func(*args, **kwargs)

    def _is_anothers(self, weight: Any) -> bool:
        """Whether a layer inside the module brings it."""
        if isinstance(weight, fx.Proxy) and weight.node.op == "get_attr":
            owner, _, name = str(weight.node.target).rpartition(".")
            root: nn.Module = weight.tracer.root  # type: ignore[attr-defined]
            weight = getattr(root.get_submodule(owner), name)
        return id(weight) in self._others


def _given(module: nn.Module) -> list[torch.Tensor]:
    """The weights that a module's layers are given as they are."""
    if isinstance(module, Substituted):
        return list(module.given)
    weight = module._parameters.get("weight")  # noqa: SLF001 (a parametrized one would be computed)
    return [] if weight is None else [weight]


def weight_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The weight among the arguments of one of ``LAYERS``."""
    return args[1] if len(args) > 1 else kwargs["weight"]
