"""Is this robustness real? Flags that stand beside a score."""

import torch
from torch import nn

from robench.attacks.gradient import look
from robench.attacks.losses import margin
from robench.core.errors import RobenchError
from robench.models.blocked import Blocked
from robench.models.surrogate import Surrogate

TOLERANCE = 1e-3
TOLERATED = 0.05
STEP = 0.25 / 255


def of_clean_accuracy(correct: int, total: int, classes: int) -> tuple[str, ...]:
    """Warn where clean accuracy is no better than twice chance: normalisation or label order is wrong, as a rule."""
    if correct / total > 2 / classes or classes <= 2:
        return ()
    return ("clean accuracy is near chance: is normalisation inside the model, and are the labels in this order?",)


def of_gradients(model: Blocked, x: torch.Tensor, y: torch.Tensor) -> tuple[str, ...]:
    """Warn where the cross-entropy's gradient is zero or not finite: gradient attacks cannot see such an image.

    Args:
        model: the model in float32.
        x, y: a few images in [0, 1] and their labels.
    """
    try:
        gradient = look(model, x, y).gradient.flatten(1)
    except RobenchError:
        return ("no gradient: the model passes none to its input",)
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
        gradient = look(model, x, y, margin).gradient
    except (RobenchError, RuntimeError):
        return False
    step = STEP * gradient.sign()
    with torch.inference_mode():
        change = margin(model(x + step), y) - margin(model(x - step), y)
    expected = 2 * STEP * gradient.flatten(1).abs().sum(1)
    near = (change / expected - 1).abs() < 0.5
    return float(near.float().mean()) >= 1 - TOLERATED


def of_surrogates(model: Blocked, predictable: bool) -> tuple[str, ...]:
    """Say where a gradient is not the function's own.

    Args:
        model: what attacks differentiate.
        predictable: whether its gradient tells how it changes.
    """
    if isinstance(model.model, Surrogate):
        return ("surrogate gradients: the model rounds or takes signs, and attacks went around that step (BPDA)",)
    if not predictable:
        return (
            "unpredictable: the gradient does not tell how the margin changes (rounding, signs, randomness inside)",
        )
    return ()


def of_predictions(model: Blocked, x: torch.Tensor) -> tuple[str, ...]:
    """Warn where logits are random, or depend on the other images of the batch. ``x``: a few images in [0, 1]."""
    bare = model.model
    with torch.inference_mode():
        first, second = bare(x), bare(x)
        parts = torch.cat([bare(part) for part in x.split(-(-len(x) // 2))])
    scale = TOLERANCE * first.abs().max().clamp(min=1)
    if (first - second).abs().max() > scale:
        return ("random: two forward passes on the same images differ",)
    if (first - parts).abs().max() > scale:
        return ("batch-dependent: logits of an image change with the images beside it",)
    return ()
