"""A search by FMN: one attack, no less found than by halving; in closed form it is in test_linear.py."""

from dataclasses import replace

import numpy as np
import pytest

from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.measure import measure

GRID = tuple(level / 255 for level in range(2, 33, 2))
FMN = Condition("attack", "fmn", None, (("steps", 50),))


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
