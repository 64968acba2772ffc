"""Adversarial training by one noisy step, and the check that it has not overfitted.

N-FGSM (de Jorge et al. 2022, arXiv:2202.01181): uniform noise of twice the budget, then one signed gradient step of the
size of the budget, without a projection. Single-step training may overfit catastrophically (Wong, Rice, Kolter 2020,
arXiv:2001.03994): within an epoch the accuracy under PGD falls to nothing while that under the single step rises. So
PGD is run after each epoch.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from robench.attacks.apply import perturb as attack
from robench.core.errors import RobenchError
from robench.core.types import Condition

NOISE = 2.0
COLLAPSE = 0.3


def perturb(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epsilon: float, rng: torch.Generator) -> torch.Tensor:
    """The images [N, C, H, W] in [0, 1] on which a step of training is taken."""
    noise = (2 * torch.rand(x.shape, generator=rng) - 1).to(x)
    start = (x + NOISE * epsilon * noise).requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(model(start).float(), y), start)
    return (start.detach() + epsilon * gradient.sign()).clamp(0, 1)


def robust_accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epsilon: float) -> float:
    """Accuracy under PGD-10 in Linf, of a model in eval mode."""
    pgd = Condition("attack", "pgd", epsilon, (("steps", 10),))
    images = attack(model, x, y, pgd, seed=0)
    with torch.no_grad():
        return float((model(images).argmax(1) == y).float().mean())


def check(robust: float, best: float, epoch: int) -> None:
    """Raise RobenchError where accuracy under PGD has collapsed."""
    if robust < COLLAPSE * best:
        raise RobenchError(
            f"catastrophic overfitting in epoch {epoch}: accuracy under PGD fell from {best:.1%} to {robust:.1%}; "
            "use a lower learning rate or fewer epochs."
        )
