"""Functions with a backward of their own in a traced graph."""

from typing import Any

import pytest
import torch
from torch import fx, nn

from robench.engine.tracing import OwnBackward, trace


class Parent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, factor: float) -> torch.Tensor:
        return x.sign() * factor

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return 2 * gradient, None


class Child(Parent):
    """The forward pass of its parent, and another backward."""

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return 5 * gradient, None


held = Child.apply


class Net(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(3 * x, 2.0)


@pytest.mark.parametrize(("function", "slope"), [(Parent.apply, 6), (Child.apply, 15), (held, 15)])
def test_a_step_keeps_its_forward_and_its_backward(function: Any, slope: float) -> None:
    before = {kind: dict(vars(kind)) for kind in (Parent, Child)}
    graph = trace(Net(function))
    assert {kind: dict(vars(kind)) for kind in (Parent, Child)} == before
    x = torch.tensor([-1.5, 0.25], requires_grad=True)
    y = graph(x)
    assert y.tolist() == [-2, 2]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [slope, slope]
    assert sum(isinstance(node.target, OwnBackward) for node in graph.graph.nodes) == 1


def test_a_function_of_weights_alone_is_computed_once() -> None:
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * Parent.apply(torch.ones(2), 3.0)

    graph = trace(Constant())
    assert graph(torch.ones(2)).tolist() == [3, 3]
    assert not any(isinstance(node.target, OwnBackward) for node in graph.graph.nodes)


def test_what_fails_leaves_the_functions_as_they_were() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Parent.apply(x, 1.0) if x.sum() > 0 else x

    before = dict(vars(Parent))
    with pytest.raises(fx.proxy.TraceError):
        trace(Branching())
    assert dict(vars(Parent)) == before


def test_hooks_on_the_model_and_a_forward_of_its_own_are_not_traced_away() -> None:
    hooked, patched = Net(Parent.apply), Net(Parent.apply)
    hooked.register_forward_pre_hook(lambda module, inputs: (inputs[0].round(),))
    patched.forward = lambda x: x
    for model in (hooked, patched):
        with pytest.raises(fx.proxy.TraceError, match="sees neither hooks nor the module's own one"):
            trace(model)
