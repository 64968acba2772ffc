"""On a device of which no tensor mixes with those of the CPU, everything is measured, and comes out as on the CPU."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from robench import zoo
from robench.attacks import ATTACKS, Attack
from robench.core.errors import RobenchError
from robench.core.types import CLEAN, Condition
from robench.data.base import Dataset
from robench.data.load import load, load_calibration
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.faults import FAULTS
from robench.measure.measure import measure
from tests.fake_device import fake_device

IMAGES = 16
GRID = (4 / 255, 16 / 255, 48 / 255)
ATTACK = {
    "fgsm": {},
    "bim": {"steps": 2},
    "pgd": {"steps": 2},
    "apgd": {"steps": 6},
    "apgd_targeted": {"steps": 3},
    "fmn": {"steps": 4},
    "square": {"queries": 8},
    "robench_aa": {"steps": 3, "queries": 8},
    "pgd_worst": {"steps": 2},
}
CONDITIONS = [
    CLEAN,
    Condition("corruption", "gaussian", 4),
    *(Condition("attack", name, 32 / 255, tuple(params.items())) for name, params in ATTACK.items()),
    Condition("attack", "pgd", 1.0, (("norm", "l2"), ("steps", 2))),
    Condition("attack", "apgd", 1.0, (("loss", "dlr"), ("norm", "l2"), ("steps", 4))),
    Condition("attack", "pgd", GRID[1], (("steps", 4),), grid=GRID),
    Condition("attack", "pgd", 32 / 255, (("steps", 2), ("via", "twin"))),
    Condition("attack", "torchattacks:PGD", 32 / 255, (("steps", 2),)),
    Condition("distortion", "gaussian", 0.4),
    Condition("distortion", "sign"),
    Condition("distortion", "gaussian", 0.4, (("batch_norm", "recalibrated"),)),
    Condition("fault", "bit_error", 0.02),
    Condition("fault", "bit_error", 0.02, (("protection", "secded"),)),
    Condition("fault", "bit_flip_attack", 3),
    Condition("fault", "stuck", 0.1),
    Condition("fault", "pcm", 3600),
    Condition("fault", "reram", 3600),
]


CPU = torch.device("cpu")
Subjects = dict[torch.device, ModelUnderTest]


@pytest.fixture(scope="module")
def few() -> Dataset:
    return load("digits").first(IMAGES)


@pytest.fixture(scope="module")
def training() -> Dataset:
    return load_calibration("digits").first(64)


@pytest.fixture(scope="module")
def subjects(few: Dataset) -> Iterator[Subjects]:
    """A ternary network and its twin, on the device and on the CPU."""
    with pytest.MonkeyPatch.context() as patches:
        yield {device: pair(few, device) for device in (fake_device(patches), CPU)}


def pair(data: Dataset, device: torch.device) -> ModelUnderTest:
    low, twin = (
        prepare(zoo.load(name, "digits", 10), data, device, "float32") for name in ("twn_resnet20", "fp_resnet20")
    )
    return replace(low, source=twin)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: c.key)
def test_what_is_measured_on_a_device_is_what_is_measured_on_the_cpu(
    condition: Condition, subjects: Subjects, few: Dataset, training: Dataset
) -> None:
    there, here = (measure(Task(subject, few, condition, 0, 0, IMAGES, training)) for subject in subjects.values())
    assert here.total == IMAGES or "identity" in here.flags[0]
    for name in ("top1", "top5", "rounded"):
        assert np.array_equal(getattr(there, name), getattr(here, name))
    assert (there.flags, there.numbers, there.path) == (here.flags, here.numbers, here.path)


def test_every_attack_and_fault_of_robench_is_tried() -> None:
    own = {name for name in ATTACKS if ATTACKS[name].library is None and _is_robenchs(ATTACKS[name].function)}
    assert {c.name for c in CONDITIONS if c.kind == "attack" and ":" not in c.name} == own
    assert {c.name for c in CONDITIONS if c.kind == "fault"} >= {*FAULTS} - {"random_flips"}


def _is_robenchs(function: Callable[..., object]) -> bool:
    return function.__module__.startswith("robench.")


def test_a_tensor_that_was_left_on_the_cpu_is_found(subjects: Subjects, few: Dataset) -> None:
    there, here = subjects.values()
    with ATTACKS.temporarily("astray", Attack(lambda model, x, y, budget, rng: x + torch.ones(x.shape))):
        condition = Condition("attack", "astray", 8 / 255)
        assert measure(Task(here, few, condition, 0, 0, IMAGES)).total == IMAGES
        with pytest.raises(RobenchError, match="tensors on two devices, fake and cpu"):
            measure(Task(there, few, condition, 0, 0, IMAGES))
