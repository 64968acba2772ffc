import pytest
import torch

from robench.attacks import sanity
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels

X = torch.rand(8, 3, 8, 8)


def net(*extra: torch.nn.Module) -> Blocked:
    return Blocked(torch.nn.Sequential(*extra, torch.nn.Flatten(), torch.nn.Linear(192, 10)))


class Noise(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


class Coarse(torch.nn.Module):
    """Rounds, and passes a gradient on as if it had not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + ((8 * x).round() / 8 - x).detach()


class Cut(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach()


Y = torch.arange(8)


def test_an_honest_gradient_tells_how_the_margin_changes(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    x, y = to_pixels(digits.images[:16], torch.device("cpu")), torch.from_numpy(digits.labels[:16])
    assert sanity.predictable(twn_digits.exact, x, y)
    assert sanity.predictable(net(), X, Y)
    assert sanity.of_surrogates(net(), predictable=True) == ()


class Strict(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.min() >= 0, "a pixel below 0"
        assert x.max() <= 1, "a pixel above 1"
        return x


def test_the_steps_that_are_tried_stay_among_pixels() -> None:
    extreme = X.round()
    assert {0.0, 1.0} == set(extreme.unique().tolist())
    assert sanity.predictable(net(Strict()), extreme, Y)


@pytest.mark.parametrize("layer", [Coarse(), Noise(), Cut()])
def test_a_gradient_that_tells_nothing_is_flagged(layer: torch.nn.Module) -> None:
    assert not sanity.predictable(net(layer), X, Y)
    assert sanity.of_surrogates(net(layer), predictable=False)[0].startswith("unpredictable")
