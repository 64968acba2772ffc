"""The projections of training against their formulas; deployed, a layer computes with its latent weight."""

import pytest
import torch

from robench.architectures import ARCHITECTURES
from robench.engine.layers import inner_layers
from robench.quantizers import QUANTIZERS
from robench.quantizers.attach import after_step, attach, quantized, set_active
from robench.quantizers.base import glorot_bound

PROJECTIONS = ["tr_sign", "tr_round", "tr_power", "tr_stochm3"]
W = torch.tensor([[-0.8, -0.5, -0.2, 0.0], [0.1, 0.3, 0.5, 0.2]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tr_sign", [[-0.8, -0.8, -0.8, 0.0], [0.8, 0.8, 0.8, 0.8]]),
        ("tr_round", [[-0.8, -0.8, 0.0, 0.0], [0.0, 0.0, 0.8, 0.0]]),
    ],
)
def test_projection_by_hand(name: str, expected: list[list[float]]) -> None:
    torch.testing.assert_close(QUANTIZERS[name](W)(W), torch.tensor(expected))


def test_power_is_the_square_root_of_relative_magnitudes() -> None:
    weight = QUANTIZERS["tr_power"](W)(W)
    torch.testing.assert_close((weight / 0.8).square() * weight.sign(), W / 0.8)


def test_stochm3_multiplies_each_weight_by_a_factor_between_a_third_and_three() -> None:
    weight = torch.ones(100, 100)
    factors = QUANTIZERS["tr_stochm3"](weight)(weight)
    assert factors.min() >= 1 / 3
    assert factors.max() <= 3
    assert factors.mean() == pytest.approx(5 / 3, abs=0.05)
    assert len(factors.unique()) > 1000


@pytest.mark.parametrize("name", PROJECTIONS)
def test_gradient_is_straight_through_and_deployment_is_the_latent_weight(name: str) -> None:
    latent, incoming = W.clone().requires_grad_(), torch.randn_like(W)
    rule = QUANTIZERS[name](W)
    (rule(latent) * incoming).sum().backward()
    torch.testing.assert_close(latent.grad, incoming)
    assert torch.equal(rule.eval()(latent), latent)


def test_clip_bounds_latent_weights_in_units_of_the_glorot_bound() -> None:
    model = ARCHITECTURES["resnet20"](num_classes=10)
    attach(inner_layers(model), "tr_sign", clip=0.5)
    set_active(model, False)
    after_step(model)
    for _, _, latent in quantized(model):
        assert latent.detach().abs().max() == pytest.approx(0.5 * glorot_bound(latent))
