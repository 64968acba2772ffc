"""APGD-CE, APGD-T and Square, one after the other on what still stands.

Order and parameters are those of AutoAttack's standard version (Croce and Hein 2020, arXiv:2003.01690), without its
FAB-T: so it has a name of its own.
"""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.apgd import apgd, apgd_targeted
from robench.attacks.gradient import surely_wrong
from robench.attacks.square import square


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
    result = x.clone()
    active = torch.arange(len(x), device=x.device)
    for attack, settings in (
        (apgd, {"steps": steps}),
        (apgd_targeted, {"steps": steps, "targets": targets}),
        (square, {"queries": queries}),
    ):
        if attack is square and budget.norm != "linf":
            continue
        result[active] = attack(model, x[active], y[active], budget.of(active), rng.of(active), **settings)
        with torch.inference_mode():
            active = active[~surely_wrong(model, model(result[active]), y[active])]
        if not len(active):
            break
    return result
