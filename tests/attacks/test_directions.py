"""A single step's gradient is taken once for all epsilons, and what comes of it is the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from robench.attacks import directions
from robench.attacks.directions import Directions
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.measure import measure

LEVELS = (4 / 255, 8 / 255, 16 / 255)


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each gradient was taken of."""
    from robench.attacks import fgsm

    counts: list[int] = []
    original = fgsm.loss_and_gradient

    def counted(model, x, *rest):
        counts.append(len(x))
        return original(model, x, *rest)

    monkeypatch.setattr(fgsm, "loss_and_gradient", counted)
    return counts


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_gradient_is_taken_once(fp_digits: ModelUnderTest, digits: Dataset, gradients: list[int], norm) -> None:
    data, condition = digits.first(24), Condition("attack", "fgsm", None, (("norm", norm),))
    subject = replace(fp_digits, memory={})
    together = [measure(Task(subject, data, replace(condition, level=e), 0, 0, 64)) for e in LEVELS]
    assert len(gradients) == 1
    alone = [measure(Task(replace(fp_digits, memory={}), data, replace(condition, level=e), 0, 0, 64)) for e in LEVELS]
    assert len(gradients) == 4
    for one, other in zip(together, alone, strict=True):
        assert (one.top1 == other.top1).all()
        assert (one.rounded == other.rounded).all()
        assert np.array_equal(one.distance, other.distance)


def test_a_random_model_has_a_gradient_for_each_epsilon(
    fp_digits: ModelUnderTest, digits: Dataset, gradients: list[int]
) -> None:
    subject = replace(fp_digits, memory={}, random=True)
    for epsilon in LEVELS:
        measure(Task(subject, digits.first(8), Condition("attack", "fgsm", epsilon), 0, 0, 64))
    assert len(gradients) == len(LEVELS)


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def compute() -> torch.Tensor:
        asked.append(1)
        return torch.tensor([[1.0, -1.0], [0.0, 1.0]])

    kept, like = Directions(), torch.zeros(1)
    first, again = (kept.of([3, 5], compute, like) for _ in range(2))
    assert first.equal(again)
    assert len(asked) == 1
    monkeypatch.setattr(directions, "LARGEST", 3)
    small = Directions()
    small.of([3, 5], compute, like)
    small.of([3, 5], compute, like)
    assert len(asked) == 3
