"""Smooth copies of models that take signs or round, and means over models that draw random numbers."""

import pytest
import torch
from torch import nn

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.loaded import from_module
from robench.engine.prepare import prepare
from robench.engine.smooth import SHARPNESS, averaged, smoothed
from robench.engine.task import Task
from robench.measure.measure import measure

CPU = torch.device("cpu")


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


class Steps(nn.Module):
    """One pixel of each channel, through a step."""

    def __init__(self, step: object) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.step(x[:, :, 0, 0] - 0.5)


SIGNS = [
    torch.sign,
    Straight.apply,
    lambda x: torch.where(x >= 0, 1.0, -1.0),
    lambda x: 2 * (x > 0).float() - 1,
    lambda x: x.sign().detach() + (x.clamp(-1, 1) - x.clamp(-1, 1).detach()),
    lambda x: x + (x.sign() - x).detach(),
]


@pytest.mark.parametrize("step", SIGNS)
def test_signs_become_tanh_and_the_gradient_is_its_own(step: object) -> None:
    copy = smoothed(Blocked(Steps(step)))
    assert copy is not None
    x = torch.rand(4, 3, 2, 2, requires_grad=True)
    logits = copy(x)
    torch.testing.assert_close(logits, (SHARPNESS * (x[:, :, 0, 0] - 0.5)).tanh())
    (gradient,) = torch.autograd.grad(logits.sum(), x)
    torch.testing.assert_close(gradient[:, :, 0, 0], SHARPNESS * (1 - logits.detach() ** 2))


def test_rounding_leaves_a_number_as_it_is() -> None:
    copy = smoothed(Blocked(Steps(lambda x: (x * 15).round() / 15)))
    assert copy is not None
    x = torch.rand(4, 3, 2, 2)
    torch.testing.assert_close(copy(x), x[:, :, 0, 0] - 0.5)


def test_a_smooth_model_has_no_copy(digits: Dataset) -> None:
    tested = prepare(zoo.load("tr_none_c", "digits", 10), digits.first(8), CPU)
    assert tested.smooth() is None
    task = Task(tested, digits.first(8), Condition("attack", "pgd", 0.1, (("via", "smooth"),)), 0, 0, 8)
    assert measure(task).flags[0].startswith("n/a: the model takes no signs and rounds nothing")


def test_the_binary_network_has_one_that_nearly_answers_as_it_does(digits: Dataset) -> None:
    data = digits.first(64)
    tested = prepare(zoo.load("bnn_resnet20", "digits", 10), data, CPU)
    copy = tested.smooth()
    assert copy is not None
    task = Task(tested, data, Condition("attack", "pgd", 32 / 255, (("steps", 10), ("via", "smooth"))), 0, 0, 64)
    assert measure(task).correct < 32


class Noisy(nn.Module):
    """Logits that drown in noise."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 32 * 32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.fc(x.flatten(1))
        return logits + torch.randn_like(logits)


def test_passes_are_averaged_where_they_differ(digits: Dataset) -> None:
    torch.manual_seed(0)
    model, data = Noisy(), digits.first(8)
    tested = prepare(from_module(model, "noisy"), data, CPU)
    assert tested.random
    assert not prepare(zoo.load("tr_none_c", "digits", 10), data, CPU).random
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        expected = model.fc(x.flatten(1))
        off = [(averaged(Blocked(model), passes)(x) - expected).square().mean().sqrt() for passes in (1, 100)]
    assert off[1] < 0.3 * off[0]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"via": "friend"}, "via of the attack pgd must be own, twin, smooth, not 'friend'"),
        ({"eot": 0}, "eot of the attack pgd must be a whole number >= 1"),
    ],
)
def test_wrong_settings_are_one_sentence(params: dict[str, object], sentence: str, digits: Dataset) -> None:
    tested = prepare(zoo.load("tr_none_c", "digits", 10), digits.first(8), CPU)
    with pytest.raises(RobenchError, match=sentence):
        measure(Task(tested, digits.first(8), Condition("attack", "pgd", 0.1, tuple(params.items())), 0, 0, 8))
