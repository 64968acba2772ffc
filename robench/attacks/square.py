"""Square attack (Andriushchenko et al. 2020, arXiv:1912.00049): random search over squares, without gradients."""

import torch
from torch import nn

from robench.attacks import Budget, ImageStreams, register
from robench.attacks.early_stopping import EarlyStopping
from robench.attacks.toolbox import exact_margin, project, without_rounding
from robench.engine.blocked import capacity

WINDOW = 500
"""Queries of an image after which its progress is judged (see EarlyStopping)."""
AHEAD = 16
"""Squares of an image that are tried at once, at most: one in twenty is kept, and those after it are tried again."""
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@register("square", gradient=False, norms=("linf",))
def square(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    queries: int = 5000,
    share: float = 0.8,
    restarts: int = 1,
) -> torch.Tensor:
    """Recolour random squares by +-2 epsilon, channel by channel, and keep what raises the margin.

    Most squares are rejected, so where few images are left, the next ones of each are tried at once; what comes after
    the first that is kept is tried again from there. So the result is that of one square after the other.

    A model of low precision is asked in its exact form, without which many squares that raise the margin are missed.

    Args:
        queries: forward passes for an image that does not fall; an image stops at its first wrong prediction, or where
            early stopping gives it up.
        share: of the image that the first squares cover; it is halved on a schedule.
        restarts: how often the search begins anew, at most; an image goes on as long as each leads nearer to a wrong
            prediction than all before.
    """
    model = without_rounding(model)
    result, best = _search(model, x, y, budget, rng, queries, share)
    gaining = torch.arange(len(x), device=x.device)
    for _ in range(restarts - 1):
        gaining = gaining[~(best[gaining] > 0)]
        if not len(gaining):
            break
        streams = rng.of(gaining)
        found, margin = _search(model, x[gaining], y[gaining], budget.of(gaining), streams, queries, share)
        nearer = margin > best[gaining]
        gaining, found, margin = gaining[nearer], found[nearer], margin[nearer]
        result[gaining], best[gaining] = found, margin
    return result


def _search(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    queries: int,
    share: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One search: images [N, C, H, W], and how wrong they are [N], positive where the prediction is."""
    channels, height, width = x.shape[1:]
    stripes = (rng.table(channels, width, x) < 0.5).to(x)[:, :, None, :] * 2 - 1
    result = project(x + budget.radius * stripes, x, budget)
    best = exact_margin(model, result, y)
    draws = rng.table(queries, 2 + channels, x)
    sides = [_side(share * share_left(query), height, width) for query in range(queries)]
    side = torch.tensor(sides, device=x.device)
    asked = torch.zeros_like(y)
    stopping = EarlyStopping(model, y, queries, WINDOW)
    left = stopping.should_stop(torch.arange(len(x), device=x.device), best, asked)
    while len(active := (~(best > 0) & ~left & (asked < queries)).nonzero()[:, 0]):
        count = _ahead(capacity(model), asked[active], stopping.window).clamp(max=queries - asked[active])
        turn = torch.arange(int(count.max()), device=x.device)
        now = turn < count[:, None]
        many, query = active.repeat_interleave(count), (asked[active, None] + turn)[now]
        within = budget.of(many)
        change = _squares(draws[many, query], side[query], height, width) * 2 * within.radius
        tried = project(result[many] + change, x[many], within)
        value = best.new_full(now.shape, -torch.inf)
        value[now] = exact_margin(model, tried, y[many])
        # Proposals of an image were all made at the same point, so that those after the first accepted one are void:
        # ``missed`` counts the rejected ones before it, and the next round draws from there.
        missed = (~(value > best[active, None])).cumprod(1).sum(1)
        asked[active] += torch.minimum(missed + 1, count)
        hit = missed < count
        first = (count.cumsum(0) - count + missed)[hit]  # its row in ``tried``: an image's rows begin at the sum so far
        result[active[hit]], best[active[hit]] = tried[first], value[hit, missed[hit]]
        left[active] = stopping.should_stop(active, best[active], asked[active])
    return result, best


def share_left(query: int) -> float:
    """The factor on the covered share: halved by the paper's schedule, which AutoAttack does not rescale."""
    return 0.5 ** sum(query > mark for mark in HALVINGS)


def _ahead(capacity: int, asked: torch.Tensor, window: int) -> torch.Tensor:
    """How many squares images try at once that have ``asked`` so many [N]: int64 [N], together the model's capacity.

    No image goes beyond the end of its window.
    """
    turn = torch.arange(len(asked), device=asked.device)
    share = ((capacity - 1 - turn) // len(asked) + 1).clamp(1, AHEAD)
    return torch.minimum(share, window - asked % window)


def _side(share: float, height: int, width: int) -> int:
    """Of a square that covers a share of the image."""
    return min(max(round((share * height * width) ** 0.5), 1), height - 1, width - 1)


def _squares(numbers: torch.Tensor, sides: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """[N, 2 + C] numbers in [0, 1) and sides [N] -> [N, C, H, W]: +-1 inside a square at a random place, 0 outside."""
    places = []
    for column, length in ((0, height), (1, width)):
        start = (numbers[:, column] * (length - sides + 1)).long()[:, None]
        line = torch.arange(length, device=numbers.device)
        places.append((line >= start) & (line < start + sides[:, None]))
    inside = places[0][:, :, None] & places[1][:, None, :]
    signs = (numbers[:, 2:] < 0.5).to(numbers) * 2 - 1
    return signs[:, :, None, None] * inside[:, None]
