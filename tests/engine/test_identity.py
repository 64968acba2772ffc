"""Models of the user's that answer alike and differ in their gradients are told apart."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from robench.engine.identity import fingerprint


class Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


class Flat(Slope):
    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return 0 * gradients[0]


class Net(nn.Module):
    def __init__(self, step: Callable[[torch.Tensor], torch.Tensor] = Slope.apply, slope: float = 1.0) -> None:
        super().__init__()
        self.fc, self.step, self.slope = nn.Linear(4, 2), step, slope
        nn.init.ones_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.step(self.fc(x))


def hooked() -> Net:
    net = Net()
    net.fc.register_full_backward_hook(lambda module, inputs, outputs: None)
    return net


def digest(net: Net) -> str:
    return fingerprint(net, "", torch.zeros(1), own=True)


@pytest.mark.parametrize("other", [lambda: Net(Flat.apply), lambda: Net(slope=2.0), hooked])
def test_another_backward_is_another_model(other: Callable[[], Net]) -> None:
    assert digest(Net()) == digest(Net())
    assert digest(other()) != digest(Net())
