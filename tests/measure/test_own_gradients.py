"""Models that bring a backward of their own (``autograd.Function``), as training with low bits is mostly written."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d

from robench import zoo
from robench.core.kinds import kind_of
from robench.core.types import Condition, Measurement
from robench.data.base import Dataset
from robench.engine.loaded import from_module
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.measure.measure import measure

CPU = torch.device("cpu")
N = 24


class ClippedIdentity(torch.autograd.Function):
    """Backward of the usual sign: the identity where |x| < 1."""

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() < 1)


class Where(ClippedIdentity):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)


class Comparison(ClippedIdentity):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).float() * 2 - 1


class InPlace(ClippedIdentity):
    """Its forward pass cannot be traced."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        out = torch.full_like(x, -1.0)
        out[x >= 0] = 1.0
        return out


class Smooth(torch.autograd.Function):
    """A sign with another backward, 2 / cosh(2x)^2, written with a context that is set up apart."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gradient * 2 / torch.cosh(2 * x) ** 2


class Round(torch.autograd.Function):
    """Straight-through rounding."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


class Unit(nn.Module):
    """A unit of the zoo's binary ResNet, with another sign."""

    def __init__(self, unit: Any, sign: Any) -> None:
        super().__init__()
        self.unit, self.sign = unit, sign

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = avg_pool2d(x, self.unit.stride) if self.unit.stride > 1 else x
        if self.unit.new_channels:
            shortcut = torch.cat([shortcut, shortcut], 1)
        return self.unit.bn(self.unit.conv(self.sign(x))) + shortcut


def binary(function: type[torch.autograd.Function]) -> nn.Module:
    model = zoo.load("bnn_resnet20", "digits", 10).module
    model.network.units = nn.Sequential(*(Unit(unit, function.apply) for unit in model.network.units))
    return model


class FourBitWeights(nn.Module):
    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step = self.conv.weight.abs().amax() / 7
        weight = Round.apply(self.conv.weight / step) * step
        return conv2d(x, weight, self.conv.bias, self.conv.stride, self.conv.padding)


class FourBitActivations(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Round.apply(x.clamp(0, 3) * 5) / 5


def quantized(*, weights: bool) -> nn.Module:
    model = zoo.load("tr_none_nc", "digits", 10).module
    for parent in [module for module in model.modules() if isinstance(module, nn.Sequential)]:
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and weights:
                setattr(parent, name, FourBitWeights(child))
            if isinstance(child, nn.ReLU) and not weights:
                setattr(parent, name, FourBitActivations())
    assert any(isinstance(module, FourBitWeights | FourBitActivations) for module in model.modules())
    return model


def attacked(model: ModelUnderTest, data: Dataset, epsilon: float = 4 / 255) -> Measurement:
    condition = Condition("attack", "pgd", epsilon, (("steps", 4),))
    return measure(Task(model, data, kind_of(condition).resolve(condition), 0, 0, 64))


@pytest.fixture(scope="module")
def data(digits: Dataset) -> Dataset:
    return digits.first(N)


@pytest.fixture(scope="module")
def clipped(data: Dataset) -> Measurement:
    """The zoo's own binary network, whose backward is the clipped identity, written without a function."""
    return attacked(prepare(zoo.load("bnn_resnet20", "digits", 10), data, CPU), data)


def prepared(module: nn.Module, data: Dataset) -> ModelUnderTest:
    return prepare(from_module(module, "mine"), data, CPU)


def input_gradient(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x).amax(1).sum(), x)[0]


@pytest.mark.parametrize("function", [Where, Comparison, InPlace])
def test_a_sign_with_a_backward_of_its_own_is_attacked_through_it(
    function: type[torch.autograd.Function], data: Dataset, clipped: Measurement
) -> None:
    """The zoo's own binary network has the same backward, written without a function."""
    found = attacked(prepared(binary(function), data), data)
    assert 0 < clipped.correct < N - 2
    assert np.abs(found.top1.astype(int) - clipped.top1).sum() <= 2
    assert not any("zero gradients" in flag or "surrogate" in flag for flag in found.flags)
    assert any("unpredictable" in flag for flag in found.flags)


def test_another_backward_is_kept_and_ours_is_tried_as_well(data: Dataset, clipped: Measurement) -> None:
    model = prepared(binary(Smooth), data)
    x = torch.from_numpy(data.images[:8]) / 255
    torch.testing.assert_close(
        input_gradient(model.gradients, x), input_gradient(binary(Smooth).eval(), x), rtol=1e-2, atol=1e-5
    )
    assert model.second_gradients is not None
    both = attacked(model, data)
    assert both.correct <= clipped.correct + 1  # the clipped identity's images fall as well
    (flag,) = (flag for flag in both.flags if "two gradients" in flag)
    assert "the model's own and straight-through ones were tried" in flag


def test_quantized_weights_leave_the_input_gradient_exact(data: Dataset) -> None:
    model = prepared(quantized(weights=True), data)
    found = attacked(model, data, 32 / 255)
    assert 0 < found.correct < N
    assert found.flags == ()
    assert model.second_gradients is None


def test_rounded_activations_with_a_straight_through_backward_have_gradients(data: Dataset) -> None:
    found = attacked(prepared(quantized(weights=False), data), data, 32 / 255)
    assert 0 < found.correct < N
    assert not any("zero gradients" in flag or "surrogate" in flag for flag in found.flags)


def test_a_comparison_without_any_backward_gets_a_surrogate(data: Dataset) -> None:
    class Bare(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x >= 0).float() * 2 - 1

    model = zoo.load("bnn_resnet20", "digits", 10).module
    model.network.units[0] = Bare()
    flags = attacked(prepared(model, data), data).flags
    assert "zero gradients: on 100%" in " ".join(flags) or "no input gradient" in " ".join(flags)
    assert any("surrogate gradients" in flag for flag in flags)
