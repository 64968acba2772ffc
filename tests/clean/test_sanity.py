import pytest
import torch

from robench.clean import sanity
from robench.engine.blocked import Blocked
from robench.engine.model import ModelUnderTest

X = torch.rand(8, 3, 8, 8)


def net(*extra: torch.nn.Module) -> Blocked:
    return Blocked(torch.nn.Sequential(*extra, torch.nn.Flatten(), torch.nn.Linear(192, 10)))


class Noise(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


class BatchNormalised(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean((0, 2, 3), keepdim=True)


def test_an_honest_model_has_no_flags(twn_digits: ModelUnderTest) -> None:
    assert sanity.of_predictions(twn_digits.original, torch.rand(16, 3, 32, 32)) == ()
    assert sanity.of_predictions(net(), X) == ()


def test_guesses_beyond_the_classes_of_the_data_are_flagged() -> None:
    biased = net()
    torch.nn.init.zeros_(biased.model[-1].weight)
    torch.nn.init.zeros_(biased.model[-1].bias)
    with torch.no_grad():
        biased.model[-1].bias[7] = 1
    assert sanity.of_outputs(biased, X, 10) == sanity.of_outputs(biased, X, 8) == ()
    assert sanity.of_outputs(biased, X, 2) == (
        "the model has 10 outputs and the data 2 classes: most guesses are none of them",
    )


def test_randomness_is_flagged() -> None:
    assert sanity.of_predictions(net(Noise()), X)[0].startswith("random")


def test_dependence_on_the_batch_is_flagged() -> None:
    assert sanity.of_predictions(net(BatchNormalised()), X)[0].startswith("batch-dependent")


@pytest.mark.parametrize(("correct", "flagged"), [(10, True), (20, True), (21, False), (90, False)])
def test_accuracy_near_chance_is_flagged(correct: int, flagged: bool) -> None:
    assert bool(sanity.of_clean_accuracy(correct, 100, 10)) is flagged


def test_half_right_of_three_classes_is_not_near_chance() -> None:
    assert not sanity.of_clean_accuracy(50, 100, 3)
    assert sanity.of_clean_accuracy(40, 100, 3)
