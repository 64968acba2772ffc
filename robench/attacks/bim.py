"""The basic iterative method on 8-bit images (Kurakin et al. 2016, arXiv:1607.02533), in steps of normalised pixels.

What the poster of Haghgoo, Seah and Emami (2018) meant to measure with it is the mean perturbation to fool: how far
each image is from the original, in pixel levels, when the prediction first is wrong.
"""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.toolbox import fooled, loss_and_gradient, recheck_in_float32
from robench.core.errors import RobenchError


@register("bim", norms=("linf",), distance=True)
@recheck_in_float32
def bim(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    steps: int = 10,
    step: float = 0.01,
    std: str = "0.2470 0.2435 0.2616",
) -> torch.Tensor:
    """Steps along the sign of the cross-entropy's gradient; an image stops when, rounded to 8 bits, it surely is wrong.

    After k steps no pixel is further from the original than ``k * step * max(std)`` and half a pixel level, so a larger
    epsilon binds nothing; an image that leaves a smaller one comes back clean.

    Args:
        steps: at most.
        step: its size, in units of the normalised pixels.
        std: by which each channel is normalised, on the [0, 1] scale; CIFAR-10's unless given.

    Raises:
        RobenchError: ``std`` has other channels than the images.
    """
    deviations = x.new_tensor([float(number) for number in std.split()]).view(-1, 1, 1)
    if len(deviations) != x.shape[1]:
        raise RobenchError(f"bim has std for {len(deviations)} channels, and the images have {x.shape[1]}; give std.")
    current, result = x.clone(), x.clone()
    active = torch.arange(len(x), device=x.device)
    for _ in range(steps):
        gradient = loss_and_gradient(model, current[active], y[active]).gradient
        current[active] = (current[active] + step * deviations * gradient.sign()).clamp(0, 1)
        result[active] = (current[active] * 255).round() / 255
        active = active[~fooled(model, result[active], y[active])]
        if not len(active):
            break
    return result
