"""On a linear model the best attack is known in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robench.attacks.apply import perturb
from robench.attacks.toolbox import size
from robench.core.types import Condition

NAMES = ["fgsm", "pgd", "apgd"]


class Linear(torch.nn.Module):
    """Two classes; the margin of class 1 over class 0 is w x + b."""

    def __init__(self, weight: torch.Tensor, bias: float) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        margin = x.flatten(1) @ self.weight + self.bias
        return torch.stack([-margin / 2, margin / 2], dim=1)

    def margin(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.weight + self.bias


def setup(seed: int) -> tuple[Linear, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(48, generator=rng)
    x = 0.3 + 0.4 * torch.rand(6, 3, 4, 4, generator=rng)  # away from 0 and 1, so that clipping plays no part
    model = Linear(weight, -float((x.flatten(1) @ weight).mean()))
    return model, x, (model.margin(x) > 0).long()


@given(st.integers(0, 1000), st.sampled_from(NAMES), st.sampled_from(["linf", "l2"]))
@settings(max_examples=40, deadline=None)
def test_attack_reaches_the_optimum(seed: int, name: str, norm: str) -> None:
    model, x, y = setup(seed)
    epsilon = 0.02 if norm == "linf" else 0.2
    # From a random point of the L2 sphere, forty short steps turn to the optimum but for a few percent; from the
    # clean image, and in Linf from anywhere, they reach it.
    settings_of_pgd = (("random_start", norm == "linf"), ("steps", 40)) if name == "pgd" else ()
    params = (("loss", "margin"), ("norm", norm), *settings_of_pgd)
    adversarial = perturb(model, x, y, Condition("attack", name, epsilon, params), seed=0)
    dual = model.weight.abs().sum() if norm == "linf" else model.weight.norm()
    signed = torch.where(y == 1, 1, -1)
    before, after = signed * model.margin(x), signed * model.margin(adversarial)
    can_fall = before < epsilon * dual * 0.98
    assert ((after < 0) >= can_fall).all()  # whoever can fall, falls
    assert (after >= before - epsilon * dual - 1e-4).all()  # and no margin drops by more than the optimum
    survivors = before > epsilon * dual
    assert (before[survivors] - after[survivors] >= 0.98 * epsilon * dual).all()  # while those that stand lose it all


@given(st.integers(0, 1000), st.floats(0, 0.5), st.sampled_from(["linf", "l2"]), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None)
def test_result_is_within_budget_and_range(seed: int, epsilon: float, norm: str, name: str) -> None:
    model, x, y = setup(seed)
    adversarial = perturb(model, x, y, Condition("attack", name, epsilon, (("norm", norm),)), seed=0)
    assert (size(adversarial - x, norm) <= epsilon * 1.0001 + 1e-6).all()
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert adversarial.shape == x.shape
    assert np.isfinite(adversarial.numpy()).all()


def test_a_budget_of_zero_changes_nothing() -> None:
    model, x, y = setup(0)
    assert perturb(model, x, y, Condition("attack", "pgd", 0.0), seed=0).equal(x)


def test_fallen_images_stop_and_standing_ones_do_not_depend_on_them() -> None:
    model, x, y = setup(1)
    condition = Condition("attack", "pgd", 0.02, (("steps", 5),))
    whole = perturb(model, x, y, condition, seed=0)
    alone = perturb(model, x[3:4], y[3:4], condition, seed=0, images=[3])
    torch.testing.assert_close(whole[3:4], alone, rtol=0, atol=1e-6)


def test_random_start_is_uniform_in_the_budget() -> None:
    class Flat(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.sum((1, 2, 3)) * 0, x.sum((1, 2, 3)) * 0 - 1], dim=1)

    x = torch.full((8, 3, 32, 32), 0.5)
    moved = perturb(Flat(), x, torch.zeros(8, dtype=torch.long), Condition("attack", "pgd", 0.1), seed=0) - x
    assert moved.abs().max() == pytest.approx(0.1, abs=1e-3)
    assert moved.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fmn_finds_the_nearest_point_of_the_boundary(norm: str) -> None:
    model, x, y = setup(0)
    dual = model.weight.abs().sum() if norm == "linf" else model.weight.norm()
    nearest = (model(x)[:, 1] * 2).abs() / dual
    result = perturb(model, x, y, Condition("attack", "fmn", 1.0, (("norm", norm),)), seed=0)
    assert (model(result).argmax(1) != y).all()
    found = size(result - x, norm)
    assert (found >= nearest * 0.999).all()
    assert (found <= nearest * 1.02 + 1e-3).all()


def test_fmn_keeps_its_budget_and_gives_the_largest_margin_where_nothing_fools() -> None:
    model, x, y = setup(0)
    epsilon = 0.5 * float((model(x)[:, 1] * 2).abs().min() / model.weight.abs().sum())
    result = perturb(model, x, y, Condition("attack", "fmn", epsilon), seed=0)
    assert (size(result - x, "linf") <= epsilon + 1e-6).all()
    assert (model(result).argmax(1) == y).all()
    gap = model(x).gather(1, y[:, None])[:, 0] - model(result).gather(1, y[:, None])[:, 0]
    assert (gap >= 0.45 * epsilon * model.weight.abs().sum()).all()
