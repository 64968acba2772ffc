"""Modules that fail on images with the channels last are given contiguous ones."""

import copy

import pytest
import torch
from torch import nn

import robench
from robench.engine.layout import take_contiguous
from robench.suites.one_line import suite_of


class Viewing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 8, 4, 4), nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x))
        return self.fc(x.view(x.size(0), -1))


class Reshaping(Viewing):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.conv(x)).reshape(len(x), -1))


X = torch.rand(4, 3, 32, 32).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("traced", [False, True])
def test_a_view_after_a_convolution_is_sound(traced: bool) -> None:
    module: nn.Module = torch.fx.symbolic_trace(Viewing()) if traced else Viewing()
    names = list(module.state_dict())
    with pytest.raises(RuntimeError, match="view size"):
        module(X)
    take_contiguous(module, X)
    for each in (module, copy.deepcopy(module)):
        assert list(each.state_dict()) == names
        torch.testing.assert_close(each(X), Reshaping()(X))


def test_it_is_measured_as_the_same_network_that_reshapes() -> None:
    suite = suite_of({"attack": ["pgd@2/255,steps=3"], "distortion": ["gaussian@0.2"]})
    cards = robench.evaluate([Viewing(), Reshaping()], "digits", suite, twin="none", n_images=16)
    first, second = ([m.correct for m in card.measurements] for card in cards)
    assert first == second


def test_what_fails_on_both_and_on_neither_stays_as_it_is() -> None:
    for module in (nn.Linear(7, 10), Reshaping()):
        kind = type(module)
        take_contiguous(module, X)
        assert type(module) is kind
