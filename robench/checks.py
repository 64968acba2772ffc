"""Is this robustness real? Flags that stand beside a score."""

import torch

from robench.attacks.gradient import look
from robench.core.errors import RobenchError
from robench.models.blocked import Blocked
from robench.models.surrogate import Surrogate

TOLERANCE = 1e-3
TOLERATED = 0.05


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


def of_surrogates(model: Blocked) -> tuple[str, ...]:
    """Say where attacks differentiate another function than the model's. ``model``: what they differentiate."""
    if not isinstance(model.model, Surrogate):
        return ()
    return ("surrogate gradients: the model rounds or takes signs, and attacks went around that step (BPDA)",)


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
