"""PGD on several losses and then a black-box attack: for networks whose gradients may lie, such as binary activations.

Cross-entropy's gradient vanishes where logits are large, and scaling them brings it back (Gupta and Ajanthan 2020,
arXiv:2003.13511); the margin does not depend on their scale; Square needs no gradient.
"""

from functools import partial

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.pgd import pgd
from robench.attacks.square import square
from robench.attacks.toolbox import cascade

LOSSES = ("ce", "ce_scaled", "margin")


@register("pgd_worst")
def pgd_worst(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    steps: int = 20,
    relative_step: float = 2.5,
    queries: int = 1000,
) -> torch.Tensor:
    """Each attack begins at the clean image; an image that one of them fools is left alone by the next.

    Args:
        steps, relative_step: of each PGD, as for pgd.
        queries: of Square, in Linf only.
    """
    sweep = partial(pgd, steps=steps, relative_step=relative_step)
    attacks = [partial(sweep, loss=loss) for loss in LOSSES]
    if budget.norm == "linf":
        attacks.append(partial(square, queries=queries))
    return cascade(model, x, y, budget, rng, attacks)
