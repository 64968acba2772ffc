"""Images in the order of memory that a model takes: channels last where it can, which is faster on a CPU."""

from typing import Any

import torch
from torch import nn

from robench.engine.forwarding import Forward, change_forward


def take_contiguous(module: nn.Module, x: torch.Tensor) -> None:
    """Let a module be given contiguous images, where it fails on images with the channels last.

    ``x.view(len(x), -1)`` after a convolution is sound in torch by itself, and impossible on what a convolution makes
    of such images. Where a module fails on both, it stays as it is.

    Args:
        module: changed in place (see ``change_forward``).
        x: a few images in [0, 1], [N, C, H, W].
    """
    last = x.contiguous(memory_format=torch.channels_last)
    if _fails(module, last) and not _fails(module, x.contiguous()):
        change_forward(module, _contiguous)


def _fails(module: nn.Module, x: torch.Tensor) -> bool:
    try:
        with torch.no_grad():
            module(x)
    except (Exception, SystemExit):  # noqa: BLE001 (the user's code)
        return True
    return False


def _contiguous(forward: Forward) -> Forward:
    def changed(self: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return forward(self, x.contiguous(), *args, **kwargs)

    return changed
