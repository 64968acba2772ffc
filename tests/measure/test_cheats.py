"""Models that look robust and are not: each is caught by its flag, on real images and by the usual path."""

import torch
from torch import nn

from robench import zoo
from robench.attacks.comparisons import doubts
from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Condition, DataCard, Measurement, ResultCard, Suite
from robench.data.base import Dataset
from robench.engine.loaded import from_module
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.measure.measure import measure


def attack(name: str, **params: int) -> Condition:
    condition = Condition("attack", name, 16 / 255, tuple(params.items()))
    return kind_of(condition).resolve(condition)


PGD, SQUARE = attack("pgd", steps=5), attack("square", queries=150)


class Cheat(nn.Module):
    """A real classifier behind or before something that hides its gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.model = zoo.load("tr_none_nc", "digits", 10).module


class HugeLogits(Cheat):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1e4 * self.model(x)


class Rounded(Cheat):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model((x * 8).round() / 8)


class Detached(Cheat):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x.detach() + 0 * x)


class Noisy(Cheat):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model((x + 0.2 * torch.randn_like(x)).clamp(0, 1))


class BatchStatistics(Cheat):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x - x.mean((0, 2, 3), keepdim=True) + 0.3)


def measured(cheat: nn.Module, digits: Dataset, *conditions: Condition) -> list[Measurement]:
    data = digits.first(64)
    subject = prepare(from_module(cheat, type(cheat).__name__), data, torch.device("cpu"))
    return [measure(Task(subject, data, condition, 0, 0, 64)) for condition in conditions]


def flags(cheat: nn.Module, digits: Dataset, condition: Condition) -> str:
    return "; ".join(measured(cheat, digits, condition)[0].flags)


def test_huge_logits_leave_no_gradient(digits: Dataset) -> None:
    assert "zero gradients: on" in flags(HugeLogits(), digits, PGD)


def test_a_rounding_layer_has_no_gradient_and_a_surrogate_gradient_breaks_it(digits: Dataset) -> None:
    (attacked,) = measured(Rounded(), digits, PGD)
    (honest,) = measured(zoo.load("tr_none_nc", "digits", 10).module, digits, PGD)
    assert "zero gradients: on 100%" in attacked.flags[0]
    assert "surrogate gradients" in attacked.flags[1]
    assert attacked.correct <= honest.correct + 3


def test_where_no_surrogate_can_be_had_a_black_box_attack_beats_pgd(digits: Dataset) -> None:
    white, black = measured(Detached(), digits, PGD, SQUARE)
    assert "zero gradients: on 100%" in white.flags[0]
    assert white.correct > black.correct
    subject = from_module(Detached(), "detached").card
    suite = Suite("mine", 1, 64, 0, (PGD, SQUARE))
    card = ResultCard(subject, suite, DataCard("digits", "here", 64, "f"), (white, black))
    assert any("a black-box attack (square) beats it" in doubt for doubt in doubts(card, PGD))


def test_noise_in_the_forward_pass_is_seen(digits: Dataset) -> None:
    assert "random:" in flags(Noisy(), digits, CLEAN)


def test_batch_statistics_are_seen(digits: Dataset) -> None:
    assert "batch-dependent:" in flags(BatchStatistics(), digits, CLEAN)


def test_an_honest_model_has_no_flags(digits: Dataset) -> None:
    honest = zoo.load("twn_resnet20", "digits", 10).module
    assert flags(honest, digits, PGD) == flags(honest, digits, CLEAN) == ""
