"""Quantization after training, against an independent computation."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, linear

import robench
from robench import zoo
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.activations import QuantizedInput, calibrated
from robench.engine.loaded import from_module
from robench.engine.prepare import prepare
from robench.engine.quantize import quantized
from robench.engine.verdict import to_pixels
from robench.quantizers.files import ActivationCode

CPU = torch.device("cpu")


class Net(nn.Module):
    """A network that was not made here: no batch norm, biases, a pooled head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.a, self.b, self.c = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3, stride=2), nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.b(torch.relu(self.a(x))))
        return self.head(torch.relu(self.c(x)).mean((2, 3)))


def rounded(weight: torch.Tensor, step: torch.Tensor, largest: int) -> torch.Tensor:
    step = step.view(-1, *[1] * (weight.dim() - 1))
    return (weight / step).round().clamp(-largest, largest) * step


def by_hand(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """int8: step by the largest weight; int4: the share k / 40 of that step with the least squared error."""
    largest = 2 ** (bits - 1) - 1
    widest = weight.flatten(1).abs().amax(1) / largest
    if bits == 8:
        return rounded(weight, widest, largest)
    candidates = [rounded(weight, k / 40 * widest, largest) for k in range(1, 41)]
    errors = torch.stack([(candidate - weight).flatten(1).square().sum(1) for candidate in candidates])
    best = errors.argmin(0)
    return torch.stack([candidates[int(k)][row] for row, k in enumerate(best)])


@pytest.mark.parametrize(("quantizer", "bits"), [("int8", 8), ("int4", 4)])
def test_inner_weights_are_those_of_an_independent_computation(quantizer: str, bits: int) -> None:
    net = Net()
    made = quantized(from_module(net, "net"), quantizer).module
    for name in ("a", "head"):
        assert torch.equal(made.get_submodule(name).weight, net.get_submodule(name).weight)
    for name in ("b", "c"):
        expected = by_hand(net.get_submodule(name).weight.detach(), bits)
        torch.testing.assert_close(made.get_submodule(name).weight, expected)
    assert torch.equal(net.b.weight, Net().b.weight)


def fake(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    scale = (high - low) / 255
    zero = round(-low / scale)
    return ((x / scale).round() + zero).clamp(0, 255).sub(zero) * scale


def test_w8a8_is_an_independent_computation(digits: Dataset) -> None:
    net, training = Net().eval(), load("digits", "train").first(50)
    made = quantized(from_module(net, "net"), "w8a8", training)
    x, images = to_pixels(digits.images[:16], CPU), to_pixels(training.images, CPU)
    w = {name: by_hand(net.get_submodule(name).weight.detach(), 8) for name in ("a", "b", "c", "head")}

    def layers(x: torch.Tensor, inputs: list[tuple[float, float]] | None, seen: list[tuple[float, float]]):
        def into(x: torch.Tensor) -> torch.Tensor:
            seen.append((min(0.0, float(x.min())), max(0.0, float(x.max()))))
            return x if inputs is None else fake(x, *inputs[len(seen) - 1])

        x = torch.relu(conv2d(into(x), w["a"], net.a.bias))
        x = torch.relu(conv2d(into(x), w["b"], net.b.bias, stride=2))
        x = torch.relu(conv2d(into(x), w["c"], net.c.bias))
        return linear(into(x.mean((2, 3))), w["head"], net.head.bias)

    ranges: list[tuple[float, float]] = []
    with torch.inference_mode():
        layers(images, None, ranges)
        expected = layers(x, ranges, [])
        found = made.module(x)
    # A value between two codes may go to either side, by the order of additions before it.
    assert ((found - expected).abs() < 0.02 * expected.abs().max()).all()
    assert ((found - expected).abs() < 1e-5).float().mean() > 0.5
    assert not torch.allclose(found, net(x), atol=1e-4)
    assert len(made.activations) == 4
    assert made.card.training["calibration_fingerprint"] == training.fingerprint


def test_quantized_inputs_round_and_pass_gradients_straight_through_within_the_range() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    layer.register_forward_pre_hook(QuantizedInput(ActivationCode(0.5, 2, 3)))
    x = torch.tensor([[-9.0], [-0.6], [0.2], [0.3], [9.0]], requires_grad=True)
    y = layer(x)
    assert y[:, 0].tolist() == [-1.0, -0.5, 0.0, 0.5, 2.5]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad[:, 0].tolist() == [0, 1, 1, 1, 0]


def test_ranges_hold_zero_and_layers_that_are_never_called_are_left_out() -> None:
    net = Net()
    net.unused = nn.Linear(3, 3)
    codes = calibrated(net, torch.full((4, 3, 32, 32), 255, dtype=torch.uint8), 8)
    assert set(codes) == {"a", "b", "c", "head"}
    assert codes["a"] == ActivationCode(pytest.approx(1 / 255), 0, 8)


def test_what_is_judged_rounds_its_inputs(digits: Dataset) -> None:
    """Folding batch norm would move values across the edge between two codes: then the model stays as it is."""
    tested = prepare(zoo.load("w8a8_resnet20", "digits", 10), digits, CPU)
    x = to_pixels(digits.images[:64], CPU)
    with torch.inference_mode():
        plain = zoo.load("int8_resnet20", "digits", 10).module(x)
        assert torch.equal(tested.exact(x), tested.original(x))
        assert not torch.allclose(tested.exact(x), plain, atol=1e-2)


@pytest.mark.parametrize("quantizer", ["int4", "twn", "w8a8"])
def test_a_model_is_measured_against_itself(quantizer: str) -> None:
    card = robench.evaluate(
        "tr_none_nc", "digits", "quick", quantize=quantizer, n_images=40, conditions="corruption/gaussian"
    )
    assert card.twin_card is not None
    assert (card.model.name, card.twin_card.model.name) == (f"tr_none_nc+{quantizer}", "tr_none_nc")
    assert card.model.sha256 != card.twin_card.model.sha256
    assert card.model.stored_bytes < card.twin_card.model.stored_bytes


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"quantize": "int5"}, "no quantizer is named 'int5'"),
        ({"quantize": "fp"}, "--quantize fp would change nothing: fp stores floats"),
        ({"quantize": "int8", "twin": "fp_resnet20"}, "leave --twin out"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(settings: dict, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        robench.evaluate("tr_none_nc", "digits", "quick", n_images=8, conditions="clean", **settings)


def test_a_model_without_inner_layers_cannot_be_quantized() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    with pytest.raises(RobenchError, match="Sequential has no inner convolution or linear layer"):
        robench.evaluate(model, "digits", "quick", n_images=8, conditions="clean", quantize="int8")


def test_quantizing_changes_what_it_should(digits: Dataset) -> None:
    loaded = zoo.load("fp_resnet20", "digits", 10)
    before = {name: tensor.clone() for name, tensor in loaded.module.state_dict().items()}
    made = quantized(loaded, "bwn")
    after = loaded.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    changed = [name for name, tensor in made.module.state_dict().items() if not torch.equal(before[name], tensor)]
    assert changed == [name for name, stored in made.stored.items() if stored.is_coded]
    assert len(changed) == 18
    assert np.isclose(made.card.bits_per_weight, zoo.load("bwn_resnet20", "digits", 10).card.bits_per_weight, atol=0.5)
