"""Batch norm's statistics taken again: for weights other than those that it was trained with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

BATCH = 250


@torch.no_grad()
def recalibrate(model: nn.Module, images: torch.Tensor) -> None:
    """Replace every batch norm's running mean and variance by those over ``images``, in place.

    Args:
        model: pixels in [0, 1] -> logits; left in eval mode.
        images: uint8 [N, C, H, W] of the training set; batches of 250 count alike.
    """
    model.eval()
    norms = _norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    device = next((parameter.device for parameter in model.parameters()), images.device)
    for part in images.split(BATCH):
        model((part.to(device).float() / 255).contiguous(memory_format=torch.channels_last))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@contextmanager
def recalibrated(model: nn.Module, images: torch.Tensor) -> Iterator[bool]:
    """Recalibrate ``model`` inside the with-block; afterwards its statistics are what they were.

    Yields:
        Whether it has any batch norm.
    """
    norms = _norms(model)
    saved = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    try:
        if norms:
            recalibrate(model, images)
        yield bool(norms)
    finally:
        for norm, buffers in zip(norms, saved, strict=True):
            for name, buffer in norm.named_buffers():
                buffer.copy_(buffers[name])


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
