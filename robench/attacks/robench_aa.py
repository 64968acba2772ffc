"""APGD-CE, APGD-T and Square, one after the other on the images that are still robust.

Order and parameters are those of AutoAttack's standard version (Croce and Hein 2020, arXiv:2003.01690), without its
FAB-T: so it has a name of its own.
"""

from functools import partial

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.apgd import apgd, apgd_targeted
from robench.attacks.square import square
from robench.attacks.toolbox import cascade


@register("robench_aa")
def robench_aa(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    steps: int = 100,
    targets: int = 9,
    queries: int = 5000,
) -> torch.Tensor:
    """Each attack begins at the clean image; an image that one of them fools is left alone by the next.

    Args:
        steps: of both APGDs.
        targets: classes of APGD-T.
        queries: of Square, in Linf only.
    """
    attacks = [partial(apgd, steps=steps), partial(apgd_targeted, steps=steps, targets=targets)]
    if budget.norm == "linf":
        attacks.append(partial(square, queries=queries))
    return cascade(model, x, y, budget, rng, attacks)
