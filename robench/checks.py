"""Is this robustness real? Flags that stand beside a score."""

import torch

from robench.models.blocked import Blocked

TOLERANCE = 1e-3


def of_clean_accuracy(correct: int, total: int, classes: int) -> tuple[str, ...]:
    """Warn where clean accuracy is no better than twice chance: normalisation or label order is wrong, as a rule."""
    if correct / total > 2 / classes or classes <= 2:
        return ()
    return ("clean accuracy is near chance: is normalisation inside the model, and are the labels in this order?",)


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
