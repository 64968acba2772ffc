"""The attack on shipped networks: it harms as the published one does, and chance does not."""

import pytest
import torch

from robench import zoo
from robench.core.types import Condition, Measurement
from robench.data.base import Dataset
from robench.data.load import load_calibration
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.quantize import quantized
from robench.engine.task import Task
from robench.measure.measure import measure

CPU = torch.device("cpu")
IMAGES = 96


@pytest.fixture(scope="module")
def int8(digits: Dataset) -> ModelUnderTest:
    """A network that takes a third of a ResNet-20's time."""
    return prepare(quantized(zoo.load("tr_none_nc", "digits", 10), "int8"), digits, CPU)


def attacked(tested: ModelUnderTest, data: Dataset, flips: int, draw: int = 0) -> Measurement:
    condition = Condition("fault", "bit_flip_attack", flips)
    return measure(Task(tested, data.first(IMAGES), condition, draw, 0, IMAGES, load_calibration("digits")))


def test_few_chosen_bits_do_what_random_ones_do_not(digits: Dataset) -> None:
    tested = prepare(zoo.load("int8_resnet20", "digits", 10), digits, CPU)
    before = {name: tensor.clone() for name, tensor in tested.original.state_dict().items()}
    chosen = attacked(tested, digits, 7)
    control = measure(Task(tested, digits.first(IMAGES), Condition("fault", "random_flips", 7), 0, 0, IMAGES))
    assert chosen.correct < control.correct - 5
    assert dict(chosen.numbers)["flips"] == 7
    assert chosen.path[0] == (0, chosen.path[0][1])
    assert chosen.path[-1] == (dict(chosen.numbers)["flips"], chosen.correct)
    assert [flips for flips, _ in chosen.path] == sorted({flips for flips, _ in chosen.path})
    assert all(torch.equal(tensor, before[name]) for name, tensor in tested.original.state_dict().items())


def test_it_is_the_same_again(int8: ModelUnderTest, digits: Dataset) -> None:
    first, second = (attacked(int8, digits, 4) for _ in range(2))
    assert first.path == second.path
    assert (first.top1 == second.top1).all()


def test_floats_are_left_out_with_the_reason(digits: Dataset) -> None:
    tested = prepare(zoo.load("tr_none_nc", "digits", 10), digits, CPU)
    assert attacked(tested, digits, 5).flags == (
        "n/a: this model stores floats, of which one bit of the exponent is enough",
    )


def test_no_flips_are_the_sound_model(int8: ModelUnderTest, digits: Dataset) -> None:
    found = attacked(int8, digits, 0)
    assert dict(found.numbers)["flips"] == 0
    assert len(found.path) == 1
