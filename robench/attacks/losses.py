"""What an attack makes grow: a loss for each image, [N, classes] logits and [N] labels (and targets) in, [N] out.

Cross-entropy, plain and of scaled logits, by their standard deviation or so that its Hessian is largest (Gupta and
Ajanthan 2022, arXiv:2003.13511); the difference of logits ratio and its targeted form (Croce and Hein 2020,
arXiv:2003.01690), which do not change when logits are scaled; the margin of logits (Carlini and Wagner 2017,
arXiv:1608.04644) and of probabilities (PMA, 2024, arXiv:2411.15210).
"""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean

Loss = Callable[..., torch.Tensor]
SMALLEST = 1e-12
SCALES = torch.logspace(0, 3, 32)
"""Ranges of the scaled logits that ``hns`` chooses from: at 1 all classes are alike, at 1,000 one has it all."""


def ce(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy."""
    return cross_entropy(logits, y, reduction="none")


def ce_scaled(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of logits divided by their standard deviation, a constant for the gradient: never saturated."""
    return ce(logits / logits.detach().std(1, keepdim=True).clamp(min=SMALLEST), y)


def hns(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of logits scaled so that its Hessian is largest (HNS); the scale is a constant for the gradient.

    For each image that of ``SCALES`` is taken at which s^2 (diag(p) - p p^T), the Hessian with respect to the logits at
    scale s, is largest in the Frobenius norm; p are the probabilities at that scale.
    """
    z = logits.detach()
    span = (z.amax(1, keepdim=True) - z.amin(1, keepdim=True)).clamp(min=SMALLEST)
    scales = SCALES.to(z)[:, None, None]
    p = (scales * z / span).softmax(2)
    squares = p.square().sum(2)
    norms = scales[:, :, 0] ** 4 * (squares - 2 * p.pow(3).sum(2) + squares.square()).clamp(min=0)
    best = SCALES.to(z)[norms.argmax(0)][:, None]
    return ce(logits * best / span, y)


def pma(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Largest other probability minus the label's."""
    return misclassification_margin(logits.softmax(1), y)


def misclassification_margin(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Largest other logit minus the label's: positive exactly where the prediction is wrong."""
    own = logits.gather(1, y[:, None])[:, 0]
    return logits.scatter(1, y[:, None], -torch.inf).amax(1) - own


def dlr(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The margin divided by (largest - third largest logit).

    Raises:
        RobenchError: fewer than three classes.
    """
    _need(logits, 3, "dlr")
    ordered = logits.sort(1, descending=True).values
    return misclassification_margin(logits, y) / (ordered[:, 0] - ordered[:, 2] + SMALLEST)


def gap(logits: torch.Tensor, y: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The logit of class ``target`` [N] minus the label's."""
    chosen, own = (logits.gather(1, index[:, None])[:, 0] for index in (target, y))
    return chosen - own


def dlr_targeted(logits: torch.Tensor, y: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The logit of class ``target`` [N] minus the label's, over (largest - mean of third and fourth largest).

    Raises:
        RobenchError: fewer than four classes.
    """
    _need(logits, 4, "targeted dlr")
    ordered = logits.sort(1, descending=True).values
    return gap(logits, y, target) / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + SMALLEST)


LOSSES: dict[str, Loss] = {
    "ce": ce,
    "ce_scaled": ce_scaled,
    "dlr": dlr,
    "hns": hns,
    "margin": misclassification_margin,
    "pma": pma,
}


def named(name: str) -> Loss:
    """A loss by its name in a suite.

    Raises:
        RobenchError: there is none.
    """
    if name not in LOSSES:
        raise RobenchError(f"no loss is named {name!r}; {did_you_mean(name, list(LOSSES))}")
    return LOSSES[name]


def _need(logits: torch.Tensor, classes: int, name: str) -> None:
    if logits.shape[1] < classes:
        raise RobenchError(f"the {name} loss needs {classes} classes, and the model has {logits.shape[1]}; use margin.")
