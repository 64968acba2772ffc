"""FMN finds the nearest adversarial image: in closed form on a linear model, and nearer than PGD on a real one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from robench.attacks.apply import perturb
from robench.attacks.toolbox import size
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.measure import measure

GRID = tuple(level / 255 for level in range(2, 33, 2))
FMN = Condition("attack", "fmn", None, (("steps", 50),))


class Linear(torch.nn.Module):
    """Two classes; the margin of class 1 over class 0 is w x + b."""

    def __init__(self, weight: torch.Tensor, bias: float) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        margin = x.flatten(1) @ self.weight + self.bias
        return torch.stack([-margin / 2, margin / 2], dim=1)


@pytest.fixture
def linear() -> tuple[Linear, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(48, generator=rng)
    x = 0.3 + 0.4 * torch.rand(6, 3, 4, 4, generator=rng)  # away from 0 and 1, so that clipping plays no part
    model = Linear(weight, -float((x.flatten(1) @ weight).mean()))
    return model, x, (model(x)[:, 1] > 0).long()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_finds_the_nearest_point_of_a_line(linear, norm: str) -> None:
    model, x, y = linear
    dual = model.weight.abs().sum() if norm == "linf" else model.weight.norm()
    nearest = (model(x)[:, 1] * 2).abs() / dual
    result = perturb(model, x, y, Condition("attack", "fmn", 1.0, (("norm", norm),)), seed=0)
    assert (model(result).argmax(1) != y).all()
    found = size(result - x, norm)
    assert (found >= nearest * 0.999).all()
    assert (found <= nearest * 1.02 + 1e-3).all()


def test_it_keeps_its_budget_and_gives_the_largest_margin_where_nothing_fools(linear) -> None:
    model, x, y = linear
    epsilon = 0.5 * float((model(x)[:, 1] * 2).abs().min() / model.weight.abs().sum())
    result = perturb(model, x, y, Condition("attack", "fmn", epsilon), seed=0)
    assert (size(result - x, "linf") <= epsilon + 1e-6).all()
    assert (model(result).argmax(1) == y).all()
    gap = model(x).gather(1, y[:, None])[:, 0] - model(result).gather(1, y[:, None])[:, 0]
    assert (gap >= 0.45 * epsilon * model.weight.abs().sum()).all()


def test_a_search_takes_one_attack_and_finds_no_less_than_halving(
    fp_digits: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robench.attacks.search import Search

    data, counts, original = digits.first(32), [], Search._strike
    monkeypatch.setattr(
        Search, "_strike", lambda self, images, levels: counts.append(len(images)) or original(self, images, levels)
    )

    def standing(condition: Condition) -> np.ndarray:
        tasks = (Task(fp_digits, data, replace(condition, level=e, grid=GRID), 0, 0, 64) for e in GRID)
        return np.stack([measure(task).top1 for task in tasks])

    nearest = standing(FMN)
    assert len(counts) == 1
    halving = standing(Condition("attack", "pgd", None, (("steps", 50),)))
    assert nearest.mean() <= halving.mean() + 0.005
    assert (np.diff(nearest.astype(int), axis=0) <= 0).all()


def test_one_epsilon_is_judged_as_any_attack_is(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    data = digits.first(32)
    alone = measure(Task(fp_digits, data, replace(FMN, level=GRID[7]), 0, 0, 64))
    searched = measure(Task(fp_digits, data, replace(FMN, level=GRID[7], grid=GRID), 0, 0, 64))
    assert 0 < alone.correct < 32
    assert abs(alone.correct - searched.correct) <= 1
    assert alone.flags == ()
