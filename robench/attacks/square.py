"""Square attack (Andriushchenko et al. 2020, arXiv:1912.00049): random search over squares, without gradients."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.gradient import per_image, project
from robench.attacks.losses import margin
from robench.core.errors import RobenchError
from robench.models.blocked import Blocked

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
CHUNK = 100


@register("square")
def square(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    queries: int = 5000,
    share: float = 0.8,
) -> torch.Tensor:
    """Recolour random squares by +-2 epsilon, channel by channel, and keep what raises the margin.

    A model of low precision is asked in its exact form: without gradients, that is as fast on the few images that most
    attacks leave.

    Args:
        queries: forward passes for an image that does not fall; an image stops at its first wrong prediction.
        share: of the image that the first squares cover; it is halved on a schedule.

    Raises:
        RobenchError: the budget is not in Linf.
    """
    if budget.norm != "linf":
        raise RobenchError("the square attack is made for Linf; leave out norm.")
    model = model.exactly() if isinstance(model, Blocked) else model
    channels, height, width = x.shape[1:]
    stripes = (rng.table(channels, width, x) < 0.5).to(x)[:, :, None, :] * 2 - 1
    result = project(x + budget.radius * stripes, x, budget)
    best, fallen = _look(model, result, y)
    active = torch.arange(len(x), device=x.device)[~fallen]
    best = best[~fallen]
    for query in range(queries):
        if not len(active):
            break
        if query % CHUNK == 0:
            draws = rng.of(active).table(min(CHUNK, queries), 2 + channels, x)
        covered = share_left(query) * share
        side = min(max(round((covered * height * width) ** 0.5), 1), height - 1, width - 1)
        numbers = draws[:, query % CHUNK]
        within = budget.of(active)
        change = _squares(numbers, side, height, width) * 2 * within.radius
        tried = project(result[active] + change, x[active], within)
        value, fallen = _look(model, tried, y[active])
        better = (value > best) | fallen
        result[active] = torch.where(per_image(better, x), tried, result[active])
        best = torch.where(better, value, best)[~fallen]
        draws, active = draws[~fallen], active[~fallen]
    return result


def share_left(query: int) -> float:
    """The factor on the covered share: halved by the paper's schedule, which AutoAttack does not rescale."""
    return 0.5 ** sum(query > mark for mark in HALVINGS)


def _squares(numbers: torch.Tensor, side: int, height: int, width: int) -> torch.Tensor:
    """[N, 2 + C] numbers in [0, 1) -> [N, C, H, W]: +-1 inside a square at a random place, 0 outside."""
    places = []
    for column, length in ((0, height), (1, width)):
        start = (numbers[:, column] * (length - side + 1)).long()[:, None]
        line = torch.arange(length, device=numbers.device)
        places.append((line >= start) & (line < start + side))
    inside = places[0][:, :, None] & places[1][:, None, :]
    signs = (numbers[:, 2:] < 0.5).to(numbers) * 2 - 1
    return signs[:, :, None, None] * inside[:, None]


def _look(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        logits = model(x)
        value = margin(logits, y)
    return value.clone(), value > 0
