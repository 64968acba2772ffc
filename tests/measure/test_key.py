"""A kept number is never stale: whatever decides an outcome changes the key that it is stored under."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import robench
from robench import zoo
from robench.attacks.kind import AttackKind
from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Condition
from robench.corruptions import CORRUPTIONS, Corruption
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.loaded import from_module
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.measure.key import measurement_key, plugin_code
from robench.measure.measure import measure

CPU = torch.device("cpu")
SMALL = {"dataset": "digits", "n_images": 40, "twin": "none"}
CONDITION = Condition("attack", "pgd", 8 / 255, (("steps", 3),), grid=(8 / 255,))


def key(task: Task) -> str:
    condition = kind_of(task.condition).resolve(task.condition)
    return measurement_key(replace(task, condition=condition), plugin_code(condition))


@pytest.fixture
def task(fp_digits: ModelUnderTest, digits: Dataset) -> Task:
    return Task(fp_digits, digits.first(40), CONDITION, 0, 0, 64)


CHANGES: dict[str, Callable[[Task], Task]] = {
    "draw": lambda task: replace(task, draw=1),
    "seed": lambda task: replace(task, seed=1),
    "pixels": lambda task: replace(task, data=replace(task.data, images=255 - task.data.images)),
    "labels": lambda task: replace(task, data=replace(task.data, labels=task.data.labels[::-1].copy())),
    "calibration": lambda task: replace(task, calibration=load("digits", "train")),
    "level": lambda task: replace(task, condition=replace(CONDITION, level=8.0000001 / 255)),
    "grid": lambda task: replace(task, condition=replace(CONDITION, grid=(4 / 255, 8 / 255))),
    "parameter": lambda task: replace(task, condition=replace(CONDITION, params=(("steps", 4),))),
    "attack": lambda task: replace(task, condition=replace(CONDITION, name="apgd")),
    "model": lambda task: replace(task, model=replace(task.model, fingerprint="another")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_an_outcome_changes_the_key(change: str, task: Task) -> None:
    assert key(CHANGES[change](task)) != key(task)


def test_batch_size_and_labels_of_a_suite_do_not(task: Task) -> None:
    assert key(replace(task, batch_size=7)) == key(task)
    assert key(replace(task, condition=replace(CONDITION, draws=9))) == key(task)


def test_a_new_protocol_changes_the_key(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(task)
    monkeypatch.setattr(AttackKind, "protocol", AttackKind.protocol + 1)
    assert key(task) != before


def test_the_precision_of_gradients_changes_the_key(digits: Dataset) -> None:
    loaded = zoo.load("alexnet_none_c", "digits", 10)
    exact, fast = (prepare(loaded, digits, CPU, precision) for precision in ("float32", "bfloat16"))
    first, second = (key(Task(model, digits, CONDITION, 0, 0, 64)) for model in (exact, fast))
    assert first != second


def noise(amount: float) -> Corruption:
    return Corruption(lambda images, amount, draws: images + amount * draws.normal(images.shape), (amount,) * 5)


def test_a_corruption_whose_amounts_changed_is_measured_anew(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nversion = 1\nn_images = 40\nseed = 0\n'
        '[[conditions]]\nkind = "corruption"\nnames = ["mine"]\nlevels = [5]\n'
    )
    counts = []
    for amount in (0.01, 1.0):
        with CORRUPTIONS.temporarily("mine", noise(amount)):
            card = robench.evaluate(
                "alexnet_none_c", suite=str(tmp_path / "mine.toml"), store=tmp_path / "s.sqlite", **SMALL
            )
        counts.append(card.measurements[0].correct)
    assert counts[1] < counts[0]


MODEL = """
import robench, torch

class Wrapped(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = [robench.load_model("alexnet_none_c", dataset="digits")]

    def forward(self, x):
        return FACTOR * self.hidden[0](x)

FACTOR = 1

def make():
    return Wrapped()
"""


def test_a_factory_whose_logits_changed_is_measured_anew(tmp_path: Path) -> None:
    flags = []
    for factor in ("1", "1e4"):
        (tmp_path / "mine.py").write_text(MODEL.replace("FACTOR = 1", f"FACTOR = {factor}"))
        card = robench.evaluate(
            f"{tmp_path}/mine.py:make", suite="quick", conditions="attack/fgsm", store=tmp_path / "s.sqlite", **SMALL
        )
        flags.append(card.measurements[0].flags)
    assert flags[0] == ()
    assert flags[1][0] == "the attack changed no image"
    assert flags[1][1].startswith("zero gradients")


class Hidden(torch.nn.Module):
    """A network whose parameters torch does not see."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        network = robench.load_model("alexnet_none_c", dataset="digits")
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(change(parameter))
        self.network = [network]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network[0](x)


def test_models_without_visible_parameters_that_guess_alike_are_told_apart(digits: Dataset) -> None:
    exact, rounded = (
        prepare(from_module(Hidden(change), "mine"), digits, CPU)
        for change in (lambda weight: weight, lambda weight: weight.bfloat16().float())
    )
    tasks = [Task(model, digits.first(64), CLEAN, 0, 0, 64) for model in (exact, rounded)]
    assert np.array_equal(*(measure(task).top1 for task in tasks))
    assert key(tasks[0]) != key(tasks[1])
    assert exact.card.sha256 != rounded.card.sha256
