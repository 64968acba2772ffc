"""Every rule against its formula."""

import pytest
import torch

from robench.quantizers import QUANTIZERS
from robench.quantizers.twn import ternary_codes


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
