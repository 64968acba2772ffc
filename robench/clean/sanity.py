"""Can the model's answers be relied on? Flags that stand beside its clean accuracy."""

import torch

from robench.engine.blocked import Blocked
from robench.engine.task import Task, batches
from robench.engine.verdict import near_chance

COMPARED = 32
"""Images whose logits are compared: some that share a block, and parts of a block, on any device."""
TOLERANCE = 1e-3
"""Share of the largest logit: more than rounding makes of other kernels, less than randomness that could matter."""


def of_clean_accuracy(correct: int, total: int, classes: int) -> tuple[str, ...]:
    """Warn where clean accuracy is no better than twice chance: normalisation or label order is wrong, as a rule."""
    if not near_chance(correct, total, classes):
        return ()
    return ("clean accuracy is near chance: is normalisation inside the model, and are the labels in this order?",)


def of_outputs(model: Blocked, x: torch.Tensor, classes: int) -> tuple[str, ...]:
    """Warn where a model guesses classes that the data do not have, on half of the images ``x`` or more."""
    with torch.no_grad():
        logits = model(x)
    if 2 * int((logits.argmax(1) >= classes).sum()) < len(x):
        return ()
    return (f"the model has {logits.shape[1]:,} outputs and the data {classes} classes: most guesses are none of them",)


def of_predictions(model: Blocked, x: torch.Tensor) -> tuple[str, ...]:
    """Warn where logits are random, or depend on the other images of the batch. ``x``: a few images in [0, 1]."""
    bare = model.model
    with torch.no_grad():
        first, second = bare(x.clone()), bare(x.clone())
        parts = torch.cat([bare(part.clone()) for part in x.split(-(-len(x) // 2))])
    scale = TOLERANCE * first.abs().max().clamp(min=1)
    if (first - second).abs().max() > scale:
        return ("random: two forward passes on the same images differ",)
    if (first - parts).abs().max() > scale:
        return ("batch-dependent: logits of an image change with the images beside it",)
    return ()


def disagreement(task: Task) -> tuple[tuple[str, int], ...]:
    """On how many images torch and the runtime that a model ships with guess otherwise; () without such a runtime."""
    model = task.model
    if model.rival is None:
        return ()
    count = 0
    with torch.no_grad():
        for _, x, _ in batches(task, task.data.images):
            count += int((model.exact(x).argmax(1) != model.rival(x).argmax(1)).sum())
    return (("runtime_differs", count),)


def of_disagreement(numbers: tuple[tuple[str, int], ...], total: int) -> tuple[str, ...]:
    """Say so where torch and the runtime do not guess the same throughout."""
    count = dict(numbers).get("runtime_differs", 0)
    return (f"torch and the model's own runtime guess otherwise on {count} of {total} images",) if count else ()
