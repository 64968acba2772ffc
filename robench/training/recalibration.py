"""Batch norm's statistics taken again: for weights other than those that it was trained with."""

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
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    for part in images.split(BATCH):
        model(part.float() / 255)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
