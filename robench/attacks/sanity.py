"""Is this robustness real? Flags that stand beside the score of an attack."""

import torch
from torch import nn

from robench.attacks.losses import misclassification_margin
from robench.attacks.toolbox import loss_and_gradient
from robench.core.errors import RobenchError
from robench.engine.blocked import Blocked
from robench.engine.surrogate import has_surrogates

TOLERATED = 0.05
"""Share of images that may fail: 3 of 64, so that a few saturated images of a sound model raise no flag."""
STEP = 0.25 / 255
"""A quarter of a pixel level: small enough for a smooth model to be nearly linear, large enough for float32."""
NEAR = 0.5
"""How far the change of the margin may be off, as a share of what its gradient foretells."""


def of_gradients(model: Blocked, x: torch.Tensor, y: torch.Tensor) -> tuple[str, ...]:
    """Warn where the cross-entropy's gradient is zero or not finite: gradient attacks cannot see such an image.

    Args:
        model: the model in float32.
        x, y: a few images in [0, 1] and their labels.
    """
    try:
        gradient = loss_and_gradient(model, x, y).gradient.flatten(1)
    except RobenchError:
        return ("no input gradient: gradient attacks see nothing of this model",)
    broken = (gradient == 0).all(1) | ~gradient.isfinite().all(1)
    share = float(broken.float().mean())
    if share <= TOLERATED:
        return ()
    return (f"zero gradients: on {share:.0%} of {len(x)} images the gradient is zero or not finite",)


def predictable(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether the margin's gradient tells, to within a half, how a small step along its sign changes the margin.

    A model that rounds, takes signs or draws random numbers fails, whatever gradient it passes.

    Args:
        model: the model in float32.
        x, y: a few images in [0, 1] and their labels; no more than 5% of them may fail.
    """
    try:
        gradient = loss_and_gradient(model, x, y, misclassification_margin).gradient
    except (RobenchError, RuntimeError):
        return False
    step = STEP * gradient.sign()
    above, below = (x + step).clamp(0, 1), (x - step).clamp(0, 1)
    with torch.no_grad():
        change = misclassification_margin(model(above), y) - misclassification_margin(model(below), y)
    expected = (gradient * (above - below)).flatten(1).sum(1)
    near = (change / expected - 1).abs() < NEAR
    return float(near.float().mean()) >= 1 - TOLERATED


def of_surrogates(model: Blocked, predictable: bool) -> tuple[str, ...]:
    """Say where a gradient is not the function's own.

    Args:
        model: what attacks differentiate.
        predictable: whether its gradient tells how it changes.
    """
    if has_surrogates(model):
        return ("surrogate gradients: the model rounds or takes signs, and attacks went around that step (BPDA)",)
    if not predictable:
        return (
            "unpredictable: the gradient does not tell how the margin changes (rounding, signs, randomness inside)",
        )
    return ()
