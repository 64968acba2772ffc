"""INT8 and INT4 against their formulas."""

import pytest
import torch

from robench.quantizers import QUANTIZERS
from robench.quantizers.stored import coded
from robench.quantizers.uniform import Uniform

WEIGHT = torch.randn(5, 7, 3, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "bits"), [("int8", 8), ("int6", 6), ("int4", 4)])
def test_codes_are_symmetric_and_the_error_is_at_most_half_a_step_where_nothing_is_clipped(
    name: str, bits: int
) -> None:
    stored = QUANTIZERS[name](WEIGHT).store(WEIGHT)
    largest = 2 ** (bits - 1) - 1
    assert (stored.bits, stored.encoding) == (bits, "twos_complement")
    assert int(stored.values.abs().max()) == largest
    assert stored.scale is not None
    step = stored.scale.view(-1, 1, 1, 1)
    inside = WEIGHT.abs() <= largest * step
    assert ((stored.weight() - WEIGHT).abs() <= step / 2 * (1 + 1e-5))[inside].all()


def test_int8_steps_are_the_largest_weight_over_127() -> None:
    stored = QUANTIZERS["int8"](WEIGHT).store(WEIGHT)
    torch.testing.assert_close(stored.scale[0], WEIGHT.flatten(1).abs().amax(1) / 127)


def test_int4_steps_have_the_least_squared_error_of_those_that_are_tried() -> None:
    rows = WEIGHT.flatten(1)
    stored = QUANTIZERS["int4"](WEIGHT).store(WEIGHT)
    found = (stored.weight() - WEIGHT).flatten(1).square().sum(1)
    for share in torch.linspace(0.3, 1.0, 15):
        step = (share * rows.abs().amax(1) / 7)[:, None]
        other = ((rows / step).round().clamp(-7, 7) * step - rows).square().sum(1)
        assert (found <= other * 1.02).all()  # between two of the 40 steps there may be a slightly better one


def test_weights_of_few_values_are_kept_exactly() -> None:
    ternary = coded(torch.randint(-1, 2, (4, 50)).to(torch.int8), torch.full((1, 1), 0.3), 2).weight()
    torch.testing.assert_close(QUANTIZERS["int8"](ternary).store(ternary).weight(), ternary)


def test_a_quantizer_of_three_bits_is_three_lines() -> None:
    class Int3(Uniform):
        bits = 3

    weight = Int3(WEIGHT)(WEIGHT)
    assert len(weight[0].unique()) <= 7
    assert Int3(WEIGHT).store(WEIGHT).pack().shape == (5, -(-63 * 3 // 8))


def test_gradient_is_straight_through() -> None:
    latent = WEIGHT.clone().requires_grad_()
    incoming = torch.randn_like(latent)
    (QUANTIZERS["int4"](latent.detach())(latent) * incoming).sum().backward()
    torch.testing.assert_close(latent.grad, incoming)
