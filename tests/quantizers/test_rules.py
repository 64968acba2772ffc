"""Every rule against its formula."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robench.quantizers import QUANTIZERS
from robench.quantizers.base import LowBit
from robench.quantizers.twn import optimal_ternary, ternary_codes, ternary_scale


@pytest.fixture
def latent() -> torch.Tensor:
    return torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0)).mul(0.1).requires_grad_()


def test_bwn_is_the_sign_times_the_mean_of_each_filter(latent: torch.Tensor) -> None:
    weight = QUANTIZERS["bwn"](latent)(latent)
    for row, expected in zip(weight, latent, strict=True):
        torch.testing.assert_close(row, expected.sign() * expected.abs().mean())


def test_bc_is_the_sign(latent: torch.Tensor) -> None:
    torch.testing.assert_close(QUANTIZERS["bc"](latent)(latent), latent.sign())


def test_bc_clips_the_latent_weight_to_what_is_binary(latent: torch.Tensor) -> None:
    expected = (20 * latent.detach()).clamp(-1, 1)
    stretched = (20 * latent).detach()
    QUANTIZERS["bc"](latent).after_step(stretched)
    assert torch.equal(stretched, expected)
    assert stretched.abs().max() == 1


def test_twn_follows_the_threshold_and_the_mean_above_it(latent: torch.Tensor) -> None:
    weight = QUANTIZERS["twn"](latent)(latent)
    kept = latent.abs() > 0.7 * latent.abs().mean()
    torch.testing.assert_close(weight, latent.sign() * kept * latent.abs()[kept].mean())


@pytest.mark.parametrize("name", ["bc", "bwn", "twn", "fp"])
def test_gradient_is_straight_through(name: str, latent: torch.Tensor) -> None:
    incoming = torch.randn_like(latent)
    (QUANTIZERS[name](latent)(latent) * incoming).sum().backward()
    torch.testing.assert_close(latent.grad, incoming)


def test_ttq_gradients_are_the_papers(latent: torch.Tensor) -> None:
    rule = QUANTIZERS["ttq"](latent)
    incoming = torch.randn_like(latent)
    (rule(latent) * incoming).sum().backward()
    codes = ternary_codes(latent, 0.05 * latent.abs().max())
    negative, positive = rule.scale.detach()
    torch.testing.assert_close(rule.scale.grad[1], incoming[codes > 0].sum())
    torch.testing.assert_close(rule.scale.grad[0], -incoming[codes < 0].sum())
    factor = torch.where(codes > 0, positive, torch.where(codes < 0, negative, torch.ones(())))
    torch.testing.assert_close(latent.grad, factor * incoming)


def test_ttq_scale_gradients_agree_with_autograd(latent: torch.Tensor) -> None:
    """The loss depends on W_p and W_n only through the weight, so autograd on that expression must agree."""
    rule = QUANTIZERS["ttq"](latent)
    codes = ternary_codes(latent, 0.05 * latent.abs().max())
    x = torch.randn(5, latent[0].numel())
    rule(latent).flatten(1).matmul(x.T).tanh().sum().backward()
    scale = rule.scale.detach().clone().requires_grad_()
    plain = torch.where(codes > 0, scale[1], torch.where(codes < 0, -scale[0], torch.zeros(())))
    plain.flatten(1).matmul(x.T).tanh().sum().backward()
    torch.testing.assert_close(rule.scale.grad, scale.grad)


def test_ttq_scales_stay_positive(latent: torch.Tensor) -> None:
    rule = QUANTIZERS["ttq"](latent)
    with torch.no_grad():
        rule.scale.fill_(-1)
    rule.after_step(latent)
    assert (rule.scale > 0).all()


def squared_error(weight: torch.Tensor, threshold: torch.Tensor) -> float:
    codes = ternary_codes(weight, threshold)
    return float((weight - codes * ternary_scale(weight, codes)).square().sum())


@given(st.integers(0, 2**31), st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_optimal_threshold_is_half_the_scale_and_beats_every_other(seed: int, count: int) -> None:
    weight = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    threshold, scale = optimal_ternary(weight)
    assert threshold == scale / 2
    best = squared_error(weight, threshold)
    others = [squared_error(weight, other) for other in torch.linspace(0, float(weight.abs().max()) * 0.999, 50)]
    assert best <= min(others) * (1 + 1e-4) + 1e-6


@pytest.mark.parametrize(
    ("distribution", "ratio", "rule_error", "best_error"),
    [
        (torch.distributions.Uniform(-1.0, 1.0), 0.667, 0.112, 0.111),
        (torch.distributions.Normal(0.0, 1.0), 0.767, 0.192, 0.190),
        (torch.distributions.Laplace(0.0, 1.0), 1.0, 0.283, 0.265),
    ],
)
def test_known_optima_of_three_distributions(distribution, ratio: float, rule_error: float, best_error: float) -> None:
    torch.manual_seed(0)
    weight = distribution.sample((400_000,)).double()
    threshold, _ = optimal_ternary(weight)
    mean, energy = weight.abs().mean(), weight.square().sum()
    assert float(threshold / mean) == pytest.approx(ratio, abs=0.02)
    assert squared_error(weight, 0.7 * mean) / energy == pytest.approx(rule_error, abs=0.002)
    assert squared_error(weight, threshold) / energy == pytest.approx(best_error, abs=0.002)


def test_dequantize_uses_a_scale_for_each_sign_and_filter() -> None:
    codes = torch.tensor([[-1, 0, 1], [1, 1, -1]], dtype=torch.int8)
    lowbit = LowBit(codes, torch.tensor([[2.0, 3.0], [4.0, 5.0]]), 2)
    assert lowbit.dequantize().tolist() == [[-2, 0, 4], [5, 5, -3]]
