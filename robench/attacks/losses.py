"""What an attack makes grow: a loss for each image, [N, classes] logits and [N] labels (and targets) in, [N] out.

Cross-entropy, plain and of scaled logits (Gupta and Ajanthan 2020, arXiv:2003.13511); the difference of logits ratio
and its targeted form (Croce and Hein 2020, arXiv:2003.01690), which do not change when logits are scaled; the plain
margin (Carlini and Wagner 2017, arXiv:1608.04644).
"""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean

Loss = Callable[..., torch.Tensor]
SMALLEST = 1e-12


def ce(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy."""
    return cross_entropy(logits, y, reduction="none")


def ce_scaled(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of logits divided by their standard deviation, a constant for the gradient: never saturated."""
    return ce(logits / logits.detach().std(1, keepdim=True).clamp(min=SMALLEST), y)


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


def dlr_targeted(logits: torch.Tensor, y: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The logit of class ``target`` [N] minus the label's, over (largest - mean of third and fourth largest).

    Raises:
        RobenchError: fewer than four classes.
    """
    _need(logits, 4, "targeted dlr")
    ordered = logits.sort(1, descending=True).values
    chosen, own = (logits.gather(1, index[:, None])[:, 0] for index in (target, y))
    return (chosen - own) / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + SMALLEST)


LOSSES: dict[str, Loss] = {"ce": ce, "ce_scaled": ce_scaled, "dlr": dlr, "margin": misclassification_margin}


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
