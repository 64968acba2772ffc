"""Low-bit weights that are not robench's own: what reaches the layer is seen, distorted, and put back."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import conv2d, linear
from torch.nn.utils import parametrize, prune

from robench import zoo
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.distortions.apply import distorted
from robench.engine.layers import weights
from robench.engine.loaded import LoadedModel, from_module
from robench.engine.prepare import prepare
from robench.engine.seen import with_seen_weights
from robench.engine.verdict import to_pixels
from robench.faults.apply import target_weights
from robench.quantizers.levels import low_bit

CPU = torch.device("cpu")


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


def four_bits(weight: torch.Tensor) -> torch.Tensor:
    step = weight.detach().abs().amax() / 7
    return Round.apply(weight / step) * step


def ternary(weight: torch.Tensor) -> torch.Tensor:
    kept = weight.abs() > 0.7 * weight.abs().mean()
    return weight + (kept * weight.sign() * weight.abs()[kept].mean() - weight).detach()


class Subclass(nn.Conv2d):
    """LSQ-like: a convolution with another forward pass."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x, four_bits(self.weight), self.bias)


class Own(nn.Module):
    """A class of its own with a parameter of its own."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.kernel, self.bias, self.padding = nn.Parameter(conv.weight.data), conv.bias, conv.padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, four_bits(self.kernel), self.bias, padding=self.padding)


class Wrapper(nn.Module):
    """Holds a convolution, and never calls it."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, weight=ternary(self.conv.weight), bias=self.conv.bias, padding=self.conv.padding)


class Buffer(nn.Module):
    """INT8 codes and a scale for each filter."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        scale = conv.weight.data.abs().amax((1, 2, 3), keepdim=True) / 127
        self.register_buffer("codes", (conv.weight.data / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias, self.padding = conv.bias, conv.padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, self.codes.float() * self.scale, self.bias, padding=self.padding)


class Operator(Own):
    """Calls torch's own operator."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.conv2d(x, four_bits(self.kernel), self.bias, [1, 1], self.padding)


class Convolution(Own):
    """Calls what is behind all of torch's convolutions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        where = ([1, 1], self.padding, [1, 1], False, [0, 0], 1)
        return torch.convolution(x, four_bits(self.kernel), self.bias, *where)


class FourBits(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return four_bits(weight)


def subclass(conv: nn.Conv2d) -> nn.Module:
    made = copy.deepcopy(conv)
    made.__class__ = Subclass
    return made


def parametrized(conv: nn.Conv2d) -> nn.Module:
    parametrize.register_parametrization(conv, "weight", FourBits())
    return conv


def baked(conv: nn.Conv2d) -> nn.Module:
    conv.weight.data = ternary(conv.weight.data)
    return conv


def pruned(conv: nn.Conv2d) -> nn.Module:
    """With a hook that masks the weight in each pass, and a weight that torch does not copy."""
    return prune.l1_unstructured(baked(conv), "weight", 0.3)


def normalised(conv: nn.Conv2d) -> nn.Module:
    """With the older weight norm, which is a hook too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(baked(conv))


def network(make: Callable[[nn.Conv2d], nn.Module]) -> nn.Module:
    """A trained network of the zoo, whose inner convolutions are made into something else."""
    model = zoo.load("tr_none_nc", "digits", 10).module
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d)][1:]
    for name, conv in layers:
        model.set_submodule(name, make(conv))
    return model.eval()


KINDS = [
    (subclass, 4),
    (Own, 4),
    (Operator, 4),
    (Convolution, 4),
    (Wrapper, 2),
    (Buffer, 8),
    (parametrized, 4),
    (baked, 2),
    (pruned, 2),
    (normalised, 2),
]


@pytest.fixture(scope="module")
def x(digits: Dataset) -> torch.Tensor:
    return to_pixels(digits.images[:8], CPU)


def seen(module: nn.Module, x: torch.Tensor, bits: int = 0) -> LoadedModel:
    return with_seen_weights(from_module(module, "mine"), x, bits)


@pytest.mark.parametrize(("make", "bits"), KINDS)
def test_the_weights_that_reach_the_layers_are_seen_and_their_bits(
    make: Callable[[nn.Conv2d], nn.Module], bits: int, x: torch.Tensor
) -> None:
    module = network(make)
    found = seen(module, x)
    plain = zoo.load("tr_none_nc", "digits", 10)
    assert found.card.bits == bits
    assert found.card.weights == plain.card.weights
    assert found.card.weights_in_all == plain.card.weights
    inner = [layer for layer in plain.module.modules() if isinstance(layer, nn.Conv2d)][1:]
    assert [weight.bits for weight in found.stored.values()].count(bits) == len(inner)
    assert found.card.bits_per_weight < 32
    with torch.inference_mode():
        torch.testing.assert_close(found.module(x), module(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("make", "bits"), KINDS)
def test_distortions_and_faults_act_on_what_reaches_the_layers(
    make: Callable[[nn.Conv2d], nn.Module], bits: int, digits: Dataset, x: torch.Tensor
) -> None:
    """Exactly as on the same network with its low-bit weights in plain layers."""
    tested = prepare(seen(network(make), x), digits.first(8), CPU)
    own = weights(tested.original.model)
    plain = zoo.load("tr_none_nc", "digits", 10).module
    for target, weight in zip(weights(plain).values(), own.values(), strict=True):
        target.data.copy_(weight)
    expected = prepare(from_module(plain, "plain"), digits.first(8), CPU)
    assert set(target_weights(tested.original.model, tested.stored)) <= set(own)
    with (
        distorted(tested.original.model, "gaussian", 0.3, 0, stored=tested.stored),
        distorted(expected.original.model, "gaussian", 0.3, 0),
        torch.inference_mode(),
    ):
        tested.refresh()
        expected.refresh()
        for form in (tested.original, tested.exact):
            torch.testing.assert_close(form(x), expected.original(x), rtol=1e-3, atol=1e-3)
    tested.refresh()
    with torch.inference_mode():
        torch.testing.assert_close(tested.exact(x), network(make)(x), rtol=1e-3, atol=1e-3)


def test_functional_calls_in_one_module() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.kernels = nn.ParameterList(
                [nn.Parameter(torch.randn(8, 3, 3, 3)), nn.Parameter(torch.randn(8, 8, 3, 3))]
            )
            self.matrix = nn.Parameter(torch.randn(10, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for kernel in self.kernels:
                x = torch.relu(conv2d(x, four_bits(kernel)))
            return linear(x.mean((2, 3)), self.matrix)

    module, x = Functional().eval(), torch.rand(4, 3, 12, 12)
    found = seen(module, x)
    assert found.card.weights == found.card.weights_in_all == 3 * 72 + 8 * 72 + 80
    assert [stored.bits for stored in found.stored.values()] == [4, 4, 32]
    assert set(found.module.state_dict()) == {f"seen_weights.{number}" for number in range(3)}
    with torch.no_grad():
        torch.testing.assert_close(found.module(x), module(x))
        found.module.seen_weights[2].zero_()
        assert not found.module(x).any()


def test_weights_in_full_precision_stay_as_they_are(x: torch.Tensor) -> None:
    module = zoo.load("tr_none_nc", "digits", 10).module
    found = seen(module, x)
    assert (found.card.bits, found.card.quantizer) == (32, "fp")
    assert type(found.module) is type(module)
    assert found.module.state_dict().keys() == module.state_dict().keys()


@pytest.mark.parametrize("make", [Own, parametrized])
def test_the_callers_module_is_not_changed(make: Callable[[nn.Conv2d], nn.Module], x: torch.Tensor) -> None:
    module = network(make)
    logits = module(x)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    kinds = [type(part) for part in module.modules()]
    seen(module, x)
    assert [type(part) for part in module.modules()] == kinds
    assert torch.equal(module(x), logits)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_whole_network_that_is_called_with_other_weights(digits: Dataset, x: torch.Tensor) -> None:
    """Its layers are plain ones, and their weights are the others only while it runs."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(lambda conv: conv)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            quantized = {name: four_bits(p) if p.dim() == 4 else p for name, p in self.net.named_parameters()}
            return functional_call(self.net, quantized, (x,))

    module = Network().eval()
    found = seen(module, x)
    assert found.card.bits == 4
    tested = prepare(found, digits.first(8), CPU)
    with torch.inference_mode():
        torch.testing.assert_close(tested.exact(x), module(x), rtol=1e-4, atol=1e-4)
        with distorted(tested.original.model, "gaussian", 0.3, 0, stored=tested.stored):
            tested.refresh()
            assert not torch.allclose(tested.original(x), module(x), rtol=1e-2, atol=1e-2)
            torch.testing.assert_close(tested.exact(x), tested.original(x), rtol=1e-4, atol=1e-4)


def test_a_weight_that_depends_on_the_image_is_none() -> None:
    class Dynamic(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return linear(x.flatten(1), (x - 0.5).flatten(1)[:1].expand(10, -1).sign())

    found = seen(Dynamic(), torch.rand(4, 3, 4, 4))
    assert (found.card.weights, found.card.bits) == (0, 32)


@pytest.mark.parametrize(("asked", "shown"), [(6, 6), (32, 32)])
def test_the_user_knows_better(asked: int, shown: int, x: torch.Tensor) -> None:
    found = seen(network(Own), x, asked)
    assert found.card.bits == shown
    assert {weight.bits for weight in found.stored.values()} == {32, shown}


class Saying(Own):
    def low_bit_codes(self) -> tuple[torch.Tensor, torch.Tensor, int]:
        step = self.kernel.detach().abs().amax() / 7
        return (self.kernel.detach() / step).round(), step, self.bits

    bits = 5


def test_a_module_may_say_its_codes(x: torch.Tensor) -> None:
    assert seen(network(Saying), x).card.bits == 5


def test_a_module_that_says_what_is_not_so_is_one_sentence(x: torch.Tensor) -> None:
    class Lying(Saying):
        def low_bit_codes(self) -> tuple[torch.Tensor, torch.Tensor, int]:
            codes, step, bits = super().low_bit_codes()
            return -codes, step, bits

    with pytest.raises(RobenchError, match=r"low_bit_codes\(\) of .* does not fit the weight that reaches its layer"):
        seen(network(Lying), x)


def test_levels_and_codes_are_those_of_the_weight(x: torch.Tensor) -> None:
    found = seen(network(subclass), x)
    for name, weight in weights(found.module).items():
        again = low_bit(weight)
        if again is None:
            assert not found.stored[name].is_coded
        else:
            assert torch.equal(found.stored[name].values, again.values)
            assert torch.equal(found.stored[name].weight(), weight)


def written_anew(module: nn.Conv2d, inputs: object) -> None:
    if not hasattr(module, "latent"):
        module.latent = module.weight.data.clone()
    module.weight.data = four_bits(module.latent).detach()


def test_a_weight_that_a_hook_writes_in_each_pass_is_out_of_reach(x: torch.Tensor) -> None:
    module = network(lambda conv: conv)
    for conv in [m for m in module.modules() if isinstance(m, nn.Conv2d)][1:3]:
        conv.register_forward_pre_hook(written_anew)
    assert "writes the weight of network.features.3 anew" in seen(module, x).sealed


def test_a_forward_pass_that_asks_another_module_is_found_and_that_module_left_alone(x: torch.Tensor) -> None:
    module = network(subclass)
    kinds = [type(part) for part in module.modules()]
    forward = module.forward
    module.forward = lambda x: 2 * forward(x)
    for _ in range(2):
        assert seen(module, x).sealed == "its forward pass does not compute with its own weights"
        assert [type(part) for part in module.modules()] == kinds


class Multiplied(nn.Linear):
    """Computes with its weight by other means than a layer of torch's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ four_bits(self.weight).t() + self.bias


def test_weights_that_reach_no_layer_are_not_counted_as_seen() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), Multiplied(4 * 9, 8), nn.Linear(8, 10)).eval()
    found = seen(module, torch.rand(4, 3, 5, 5))
    assert found.card.weights == 3 * 4 * 9 + 80
    assert found.card.weights_in_all == 3 * 4 * 9 + 80 + 8 * 36
    assert list(found.stored) == ["0.weight", "3.weight"]


def test_a_weight_of_two_layers_counts_once() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(3, 10)).eval()
    module[1].weight = module[0].weight
    found = seen(module, torch.rand(4, 3, 5, 5))
    assert found.card.weights == found.card.weights_in_all == 81 + 30
