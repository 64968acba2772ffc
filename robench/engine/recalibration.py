"""Batch norm's statistics taken again: for weights other than those that it was trained with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

BATCH = 250
Statistics = list[tuple[torch.Tensor, torch.Tensor]]


@torch.no_grad()
def recalibrate(model: nn.Module, images: torch.Tensor) -> None:
    """Replace every batch norm's running mean and variance by those over ``images``, in place.

    Args:
        model: pixels in [0, 1] -> logits; left in eval mode.
        images: uint8 [N, C, H, W] of the training set; batches of 250 count alike.
    """
    model.eval()
    norms = batch_norms(model)
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


def statistics(model: nn.Module, images: torch.Tensor) -> Statistics:
    """(mean, variance) over ``images`` of what each batch norm is given, with the model left as it was."""
    with _restored(model) as norms:
        if norms:
            recalibrate(model, images)
        return [(_running(norm)[0].clone(), _running(norm)[1].clone()) for norm in norms]


@contextmanager
def recalibrated(model: nn.Module, images: torch.Tensor, before: Statistics) -> Iterator[bool]:
    """Inside the with-block batch norm's statistics are moved as a distortion of the weights moves those of ``images``.

    Training took its statistics over augmented images; those of a few plain ones, put in as they are, cost even a
    sound network points. So a running mean keeps its place, in standard deviations from that of ``images``, and a
    running variance its ratio to theirs: where no weight is distorted, the model stays as it is.

    Args:
        model: distorted; pixels in [0, 1] -> logits.
        images: uint8 [N, C, H, W] of the training set.
        before: ``statistics`` of the same images before the distortion.

    Yields:
        Whether it has any batch norm.
    """
    after = statistics(model, images)
    with _restored(model) as norms:
        for norm, (mean, variance), (new_mean, new_variance) in zip(norms, before, after, strict=True):
            running_mean, running_variance = _running(norm)
            ratio = (new_variance + norm.eps) / (variance + norm.eps)
            running_mean.sub_(mean).mul_(ratio.sqrt()).add_(new_mean)
            running_variance.mul_(ratio)
        yield bool(norms)


@contextmanager
def _restored(model: nn.Module) -> Iterator[list[_BatchNorm]]:
    """The batch norms of ``model``, whose statistics are what they were when the block ends."""
    norms = batch_norms(model)
    saved = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    try:
        yield norms
    finally:
        for norm, buffers in zip(norms, saved, strict=True):
            for name, buffer in norm.named_buffers():
                buffer.copy_(buffers[name])


def _running(norm: _BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Those with running statistics, in the model's order."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
