"""Models that return more than their logits are measured by those; where it cannot be told which they are, by none."""

from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from robench.data.base import Dataset
from robench.engine.loaded import from_module
from robench.engine.outputs import give_logits_alone
from robench.engine.prepare import prepare

Output = namedtuple("Output", ["value", "scale"])


class Returns(nn.Module):
    def __init__(self, what: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.what = nn.Linear(3 * 32 * 32, 10), what

    def forward(self, x: torch.Tensor) -> object:
        return self.what(self.fc(x.flatten(1)))


TOLD = [
    lambda logits: {"loss": 0.0, "logits": logits, "features": 2 * logits},
    lambda logits: {"out": logits},
    lambda logits: (logits, logits[:, :, None]),
    lambda logits: SimpleNamespace(logits=logits),
    lambda logits: Output(logits, torch.ones(())),
]
NOT_TOLD = [
    lambda logits: (logits, logits),
    lambda logits: {"classes": logits.argmax(1)},
    lambda logits: [logits],
    lambda logits: None,
]


@pytest.mark.parametrize("what", TOLD)
def test_logits_among_other_things_are_found(what: Callable[[torch.Tensor], object], digits: Dataset) -> None:
    module, plain = Returns(what), Returns(lambda logits: logits)
    names = list(module.state_dict())
    x = torch.rand(5, 3, 32, 32)
    give_logits_alone(module, x)
    assert list(module.state_dict()) == names
    assert torch.equal(module(x), plain(x))
    tested = prepare(from_module(module, "mine"), digits.first(8), torch.device("cpu"))
    assert not tested.no_gradient


@pytest.mark.parametrize("what", NOT_TOLD)
def test_what_cannot_be_told_is_left_as_it_is(what: Callable[[torch.Tensor], object]) -> None:
    module = Returns(what)
    give_logits_alone(module, torch.rand(5, 3, 32, 32))
    assert type(module) is Returns


def test_a_module_that_fails_is_left_as_it_is() -> None:
    module = nn.Linear(7, 10)
    give_logits_alone(module, torch.rand(5, 3, 32, 32))
    assert type(module) is nn.Linear
