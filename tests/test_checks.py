import pytest
import torch

from robench import checks
from robench.data.base import Dataset
from robench.models.blocked import Blocked
from robench.subject import Subject, to_pixels

X = torch.rand(8, 3, 8, 8)


def net(*extra: torch.nn.Module) -> Blocked:
    return Blocked(torch.nn.Sequential(*extra, torch.nn.Flatten(), torch.nn.Linear(192, 10)))


class Noise(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


class BatchNormalised(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean((0, 2, 3), keepdim=True)


def test_an_honest_model_has_no_flags(twn_digits: Subject) -> None:
    assert checks.of_predictions(twn_digits.model, torch.rand(16, 3, 32, 32)) == ()
    assert checks.of_predictions(net(), X) == ()


def test_randomness_is_flagged() -> None:
    assert checks.of_predictions(net(Noise()), X)[0].startswith("random")


def test_dependence_on_the_batch_is_flagged() -> None:
    assert checks.of_predictions(net(BatchNormalised()), X)[0].startswith("batch-dependent")


@pytest.mark.parametrize(("correct", "flagged"), [(10, True), (20, True), (21, False), (90, False)])
def test_accuracy_near_chance_is_flagged(correct: int, flagged: bool) -> None:
    assert bool(checks.of_clean_accuracy(correct, 100, 10)) is flagged


class Coarse(torch.nn.Module):
    """Rounds, and passes a gradient on as if it had not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + ((8 * x).round() / 8 - x).detach()


class Cut(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach()


Y = torch.arange(8)


def test_an_honest_gradient_tells_how_the_margin_changes(twn_digits: Subject, digits: Dataset) -> None:
    x, y = to_pixels(digits.images[:16], torch.device("cpu")), torch.from_numpy(digits.labels[:16])
    assert checks.predictable(twn_digits.exact, x, y)
    assert checks.predictable(net(), X, Y)
    assert checks.of_surrogates(net(), predictable=True) == ()


@pytest.mark.parametrize("layer", [Coarse(), Noise(), Cut()])
def test_a_gradient_that_tells_nothing_is_flagged(layer: torch.nn.Module) -> None:
    assert not checks.predictable(net(layer), X, Y)
    assert checks.of_surrogates(net(layer), predictable=False)[0].startswith("unpredictable")
