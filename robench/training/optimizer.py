"""The optimizer and its schedule (timm's), which parameters decay, and in which precision a step is computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from robench.core.errors import RobenchError
from robench.training.recipe import Recipe

SCALE_RATE = 1e-3


def optimizer_and_schedule(model: nn.Module, recipe: Recipe, steps: int) -> tuple[Optimizer, Any]:
    """The recipe's optimizer, and timm's one-cycle schedule for it over all epochs of ``steps`` each.

    Raises:
        RobenchError: timm has no such optimizer.
    """
    from timm.optim import create_optimizer_v2
    from timm.scheduler import CosineLRScheduler

    try:
        optimizer = create_optimizer_v2(
            model,
            opt=recipe.optimizer,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            momentum=recipe.momentum,
            param_group_fn=lambda model: parameter_groups(model, recipe.weight_decay),
        )
    except (AssertionError, ValueError) as error:
        raise RobenchError(f"timm makes no optimizer {recipe.optimizer!r} of this recipe: {error}") from error
    total = steps * recipe.epochs
    warmup = int(recipe.warmup * total)
    return optimizer, CosineLRScheduler(
        optimizer,
        t_initial=total - warmup,
        warmup_t=warmup,
        warmup_lr_init=recipe.learning_rate / 25,
        warmup_prefix=True,
        t_in_epochs=False,
    )


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """As long as the block lasts, timm's Muon orthogonalizes its updates in ``precision``.

    It has no option for that, and uses bfloat16 on every device: where that is emulated, one step of a wide network
    takes ten seconds and more.
    """
    from timm.optim import muon

    usual = muon.zeropower_via_newtonschulz
    muon.zeropower_via_newtonschulz = partial(usual, dtype=getattr(torch, precision))
    try:
        yield
    finally:
        muon.zeropower_via_newtonschulz = usual


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases, batch norm and quantizers' own scales do not.

    A scale's gradient is a sum over all weights of its layer: at SGD's rates for weights, or a tenth of them, it
    diverges (the smaller magnitude falls to its bound within an epoch), so that scales learn at a thousandth.
    """
    weights, vectors, scales = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            weights.append(parameter)
        elif ".parametrizations." in name:
            scales.append(parameter)
        else:
            vectors.append(parameter)
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
        {"params": scales, "weight_decay": 0.0, "lr_scale": SCALE_RATE},
    ]
