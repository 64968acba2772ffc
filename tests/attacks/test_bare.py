"""What a library's attack is given, and what becomes of what it gives."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from robench.attacks import ATTACKS, Attack, Traits
from robench.attacks.apply import attempt
from robench.attacks.bare import TimeLimit
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.measure import measure

PATTERNS = torch.rand((4, 3, 4, 4), generator=torch.Generator().manual_seed(0))
X = 0.5 + 0.1 * (PATTERNS - PATTERNS.mean((1, 2, 3), keepdim=True))
Y = torch.zeros(4, dtype=torch.long)
CONDITION = Condition("attack", "guest", 0.1)


class Bright(nn.Module):
    """Class 1 where the mean pixel is above 0.52; notes how many images it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(x))
        mean = x.contiguous(memory_format=torch.channels_last).mean((1, 2, 3))
        return torch.stack([torch.full_like(mean, 0.52), mean], 1)


def guest(function: Callable[..., torch.Tensor], model: nn.Module | None = None, seconds: float = 60):
    with ATTACKS.temporarily("guest", Attack(function, Traits(bare=True))):
        return attempt(model or Bright(), X, Y, CONDITION, seed=0, limit=TimeLimit(seconds))


def test_time_that_is_up_ends_an_attack_which_keeps_what_it_has_found() -> None:
    def endless(model, x, y, budget, rng):
        while True:
            model(x[1:3] + 0.05)  # two of four images, as libraries do
            model(x[3:] + 0.4)  # fools, and is beyond the budget

    found = guest(endless, seconds=0.3)
    assert found.unfinished.tolist() == [True, False, False, True]
    torch.testing.assert_close(found.images[1:3], X[1:3] + 0.05)
    assert torch.equal(found.images[[0, 3]], X[[0, 3]])


def test_an_attack_that_is_late_does_not_begin() -> None:
    found = guest(lambda *_: pytest.fail("called"), seconds=-1)
    assert found.unfinished.all()
    assert torch.equal(found.images, X)


def test_images_and_gradients_are_contiguous_and_single_images_stay_single() -> None:
    def view(model, x, y, budget, rng):
        assert x.is_contiguous()
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
        assert gradient.is_contiguous()
        gradient.view(len(x), -1)
        model(x[:1])
        return (x + 0.05 * gradient.sign()).detach()

    model = Bright()
    found = guest(view, Blocked(model))
    assert model.asked == [1, 4, 1]  # the first to see the number of classes; no block is filled up
    torch.testing.assert_close(found.images, X + 0.05)


def test_every_source_of_random_numbers_is_seeded_and_left_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    def noisy(model, x, y, budget, rng):
        print("hello")  # noqa: T201
        noise = torch.rand(1).item() + np.random.rand() + random.random()  # noqa: NPY002
        return x + 0.01 * noise

    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first = guest(noisy).images
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    torch.rand(3)
    assert torch.equal(first, guest(noisy).images)
    said = capsys.readouterr()
    assert said.out == ""
    assert "hello" in said.err


def test_what_was_not_attacked_to_the_end_stands_in_the_flags(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    def slow(model, x, y, budget, rng):
        while True:
            model(x)

    params = (("time_limit_s", 0.2),)
    data = digits.first(80)
    with ATTACKS.temporarily("guest", Attack(slow, Traits(bare=True, gradient=False))):
        task = Task(fp_digits, data, Condition("attack", "guest", 0.1, params), 0, 0, 80)
        found = measure(task)
    clean = measure(Task(fp_digits, data, Condition("clean", "clean"), 0, 0, 80)).correct
    assert found.correct == clean
    flag = next(flag for flag in found.flags if flag.startswith("time limit"))
    assert flag.startswith(f"time limit: after 0.2 s {clean} of 80 images were not attacked to the end")
    assert "upper bound" in flag


def test_what_left_the_budget_is_counted_in_the_flags(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    def white(model, x, y, budget, rng):
        return torch.ones_like(x)

    for minimal, sentence in (
        (False, "the attack left its budget"),
        (True, "the smallest perturbation found is larger"),
    ):
        traits = Traits(bare=True, gradient=False, minimal=minimal)
        with ATTACKS.temporarily("guest", Attack(white, traits)):
            found = measure(Task(fp_digits, digits.first(16), CONDITION, 0, 0, 16))
        assert any(
            flag.startswith("beyond the budget: on 16 of 16 images") and sentence in flag for flag in found.flags
        )
