from dataclasses import replace

import numpy as np
import pytest
import torch

from robench.core.kinds import kind_of
from robench.core.types import Condition, Measurement
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.blocked import Blocked
from robench.engine.loaded import from_module
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.engine.verdict import judge
from robench.measure.measure import join, measure, measure_part, parts_of

CONDITIONS = [
    Condition("clean", "clean"),
    Condition("corruption", "gaussian", 5),
    Condition("attack", "fgsm", 16 / 255),
    Condition("attack", "pgd", 16 / 255, (("steps", 4),)),
    Condition("attack", "torchattacks:PGD", 16 / 255, (("alpha", 0.02), ("steps", 3))),
    Condition("distortion", "gaussian", 0.2),
]
CHIPS = Condition("fault", "bit_error", 0.01)


def task(model: ModelUnderTest, data: Dataset, condition: Condition, batch_size: int = 256) -> Task:
    return Task(model, data, condition, 0, 0, batch_size)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: f"{c.kind}-{c.name}")
def test_batch_size_changes_no_outcome(condition: Condition, twn_digits: ModelUnderTest, digits: Dataset) -> None:
    data = digits.first(150)
    outcomes = [measure(task(twn_digits, data, condition, size)) for size in (10, 64, 150, 512)]
    for other in outcomes[1:]:
        assert np.array_equal(outcomes[0].top1, other.top1)
        assert np.array_equal(outcomes[0].top5, other.top5)
    assert outcomes[0].total == 150


@pytest.mark.parametrize("condition", [*CONDITIONS[1:], CHIPS], ids=lambda c: f"{c.kind}-{c.name}")
def test_parts_that_are_measured_apart_give_the_same_together(
    condition: Condition, twn_digits: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robench.engine.task.PART", 64)
    resolved = replace(condition, facts=kind_of(condition).resolve(condition).facts)
    alone = task(replace(twn_digits, memory={}), digits.first(150), resolved)
    there = task(replace(twn_digits, memory={}), digits.first(150), resolved)
    parts = parts_of(there)
    together = join(there, [measure_part(part) for part in reversed(parts)][::-1])
    assert [len(part.images) for part in parts] == [64, 64, 22]
    ours = measure(alone)
    for name in ("top1", "top5", "rounded", "distance"):
        assert np.array_equal(getattr(ours, name), getattr(together, name))
    assert (ours.flags, ours.numbers) == (together.flags, together.numbers)


def test_what_cannot_be_divided_has_one_part(
    twn_digits: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robench.engine.task.PART", 64)
    search = Condition("fault", "bit_flip_attack", 7)
    for condition in (CONDITIONS[0], kind_of(search).resolve(search)):
        whole = task(twn_digits, digits.first(150), condition)
        assert parts_of(whole) == [whole]


def test_attacks_never_count_an_image_that_is_wrong_clean(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    clean = measure(task(twn_digits, digits.first(200), CONDITIONS[0]))
    attacked = measure(task(twn_digits, digits.first(200), CONDITIONS[2]))
    assert not (attacked.top1 & ~clean.top1).any()


def test_attacks_of_zero_size_leave_clean_accuracy(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    clean = measure(task(twn_digits, digits.first(100), CONDITIONS[0]))
    nothing = measure(task(twn_digits, digits.first(100), Condition("attack", "pgd", 0.0)))
    assert np.array_equal(clean.top1, nothing.top1)


def recalibrated(model: ModelUnderTest, data: Dataset, change: Condition) -> Measurement:
    again = replace(change, params=(*change.params, ("batch_norm", "recalibrated")))
    return measure(replace(task(model, data, again), calibration=load("digits", "train")))


def test_recalibration_mends_what_a_change_of_scale_does(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    data, bent = digits.first(200), Condition("distortion", "power", 1.5)
    before = measure(task(fp_digits, data, CONDITIONS[0]))
    kept = measure(task(fp_digits, data, bent))
    again = recalibrated(fp_digits, data, bent)
    assert again.correct > kept.correct
    after = measure(task(fp_digits, data, CONDITIONS[0]))
    assert np.array_equal(before.top1, after.top1)
    assert np.array_equal(kept.top1, measure(task(fp_digits, data, bent)).top1)


def test_a_model_without_batch_norm_cannot_be_recalibrated(digits: Dataset) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    tested = prepare(from_module(model, "linear"), digits, torch.device("cpu"))
    result = recalibrated(tested, digits.first(64), Condition("distortion", "gaussian", 0.2))
    assert result.flags == ("n/a: this model has no batch norm to recalibrate",)


def test_progress_reaches_the_end(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    seen: list[tuple[int, int]] = []
    result = measure(task(fp_digits, digits.first(100), CONDITIONS[0], 64), lambda *at: seen.append(at))
    assert seen[-1] == (100, result.correct)
    assert [done for done, _ in seen] == [64, 100]


class Fixed(torch.nn.Module):
    """Gives the logits it was made with."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits[: len(x)]


def test_non_finite_logits_are_wrong() -> None:
    nan, inf = float("nan"), float("inf")
    logits = [[1, 0, 0, 0, 0, 0], [nan] * 6, [inf, 0, 0, 0, 0, 0], [1, nan, 0, 0, 0, 0], [5, 4, 3, 2, 1, 0]]
    model = Blocked(Fixed(logits), (5,))
    top1, top5 = judge(model, torch.zeros(5, 3, 2, 2), torch.tensor([0, 0, 0, 0, 4]))
    assert top1.tolist() == [True, False, False, False, False]
    assert top5.tolist() == [True, False, False, False, True]
