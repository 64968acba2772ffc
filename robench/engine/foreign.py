"""Modules that do not behave as torch's own do: what cannot be copied, moved or switched is used as it is."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from robench.engine.tracing import Opaque

AO = "torch.ao.quantization"
ORIGINAL = "_orig_mod"
"""Where torch.compile keeps the module."""
Change = Callable[[nn.Module], Any]


class Unswitched(nn.Module):
    """A module that knows no training and eval mode, such as an exported program; it stays as it was made."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.training = False

    def train(self, mode: bool = True) -> "Unswitched":
        """Nothing to switch."""
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The module's own."""
        logits: torch.Tensor = self.module(x)
        return logits


class Borrowed(Opaque):
    """Somebody else's module that cannot be copied: in eval mode for as long as it computes, and else left alone.

    Its parameters are not this module's, so that nothing moves, converts or distorts them.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._theirs = [module]  # in a list, or it would be registered

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The module's own, in eval mode."""
        (module,) = self._theirs
        modes = [(part, part.training) for part in module.modules()]
        try:
            module.eval()
            logits: torch.Tensor = module(x)
        finally:
            for part, training in modes:
                part.training = training
        return logits


def unwrapped(module: nn.Module) -> nn.Module:
    """The module itself where torch.compile, or a data-parallel wrapper, stands around it."""
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return unwrapped(module.module)
    if type(module).__name__ == "OptimizedModule":  # torch's own class is no public one
        return unwrapped(module.get_submodule(ORIGINAL))
    return module


def own_copy(module: nn.Module) -> nn.Module:
    """A copy of a module; a :class:`Borrowed` form of it where it cannot be copied.

    torch does not copy what was computed with gradients, such as the weight that pruning leaves beside its mask; of
    that the copy has the values.
    """
    try:
        kept = [tensor for part in module.modules() for tensor in vars(part).values() if _is_computed(tensor)]
        return copy.deepcopy(module, {id(tensor): tensor.detach().clone() for tensor in kept})
    except Exception:  # noqa: BLE001 (copying runs code of the user's, or of another library)
        return Borrowed(module)


def _is_computed(thing: object) -> bool:
    return isinstance(thing, torch.Tensor) and not thing.is_leaf


def in_eval_mode(module: nn.Module) -> nn.Module:
    """The module in eval mode; :class:`Unswitched` where it has none.

    Observers of torch.ao go on in eval mode, so that each forward pass would change the next: they are stopped.
    """
    try:
        module.eval()
    except Exception:  # noqa: BLE001 (a foreign module's own methods)
        return Unswitched(module)
    if AO in sys.modules:  # else no module is of its classes
        module.apply(sys.modules[AO].disable_observer)
    return module


def prepared(module: nn.Module, device: torch.device) -> nn.Module:
    """The module on a device, in float32 and with frozen parameters, each as far as it lets itself be changed."""
    changes: tuple[Change, ...] = (
        lambda m: m.to(device),
        lambda m: m.float(),
        lambda m: m.requires_grad_(False),
    )
    for change in changes:
        try:
            change(module)
        except Exception:  # noqa: BLE001, S112 (a foreign module's own methods)
            continue
    return module


def other_precision(module: nn.Module) -> str:
    """The types of a module's floating-point parameters that ``prepared`` makes float32 of; "" where all are that."""
    kinds = {parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()}
    return " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds - {torch.float32}))


def gradient_obstacle(model: nn.Module, x: torch.Tensor) -> str:
    """Why a model passes no gradient to its input; "" where it does.

    Args:
        model: pixels in [0, 1] -> logits.
        x: a few images.
    """
    try:
        with torch.enable_grad():
            x = x.detach().clone().requires_grad_()
            logits = model(x)
            if not logits.requires_grad:
                return "the model passes no gradient to its input"
            (gradient,) = torch.autograd.grad(logits.sum(), x, allow_unused=True)
    except Exception as error:  # noqa: BLE001 (what a foreign runtime raises when it is asked for gradients)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return f"the model passes no gradient to its input ({reason.rstrip('.')})"
    return "" if gradient is not None else "the model passes no gradient to its input"
