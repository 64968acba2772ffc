"""Models that return more than their logits: a dictionary, a tuple, an object of another library's."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from robench.engine.forwarding import Forward, change_forward

LOGITS = "logits"
"""What the logits are called where several things have names."""


def give_logits_alone(module: nn.Module, x: torch.Tensor) -> None:
    """Let a module return its logits, where it returns other things beside them.

    Those are what it calls ``logits`` (a key, or an attribute, as in Hugging Face's outputs); else the only
    [N, classes] tensor of floats among the parts of a dictionary or a tuple. Where that cannot be told, or the module
    fails, it stays as it is.

    Args:
        module: changed in place (see ``change_forward``).
        x: a few images in [0, 1], [N, C, H, W].
    """
    try:
        with torch.no_grad():
            output = module(x)
    except (Exception, SystemExit):  # noqa: BLE001 (the user's code; what is wrong with it is said when the model is tried)
        return
    if isinstance(output, torch.Tensor):
        return
    place = _place(output, len(x))
    if place is not None:
        change_forward(module, _logits_at(place))


def _place(output: Any, images: int) -> str | int | None:
    """Where the logits are in what a model returned; None where that cannot be told."""
    parts = (
        dict(output) if isinstance(output, Mapping) else dict(enumerate(output)) if isinstance(output, tuple) else {}
    )
    if LOGITS in parts or isinstance(getattr(output, LOGITS, None), torch.Tensor):
        return LOGITS
    found = [place for place, part in parts.items() if _could_be_logits(part, images)]
    return found[0] if len(found) == 1 and isinstance(found[0], str | int) else None


def _could_be_logits(part: Any, images: int) -> bool:
    return isinstance(part, torch.Tensor) and part.is_floating_point() and part.dim() == 2 and len(part) == images


def _logits_at(place: str | int) -> Callable[[Forward], Forward]:
    def change(forward: Forward) -> Forward:
        def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
            output = forward(self, *args, **kwargs)
            named = isinstance(place, str) and not isinstance(output, Mapping)
            return getattr(output, place) if named else output[place]  # type: ignore[arg-type]

        return changed

    return change
