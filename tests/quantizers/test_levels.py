"""Levels, bits and codes that are seen in weights whose rule is known."""

from collections.abc import Callable

import pytest
import torch

from robench.quantizers import QUANTIZERS
from robench.quantizers.levels import low_bit
from robench.quantizers.stored import StoredWeight

SHAPE = (12, 6, 3, 3)


def latent(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def lsq(bits: int) -> torch.Tensor:
    """Esser et al. 2020: round(clip(w / s, -2^(b-1), 2^(b-1) - 1)) s."""
    w = latent()
    step = w.abs().max() / 127 if bits == 8 else 2 * w.abs().mean() / (2 ** (bits - 1) - 1) ** 0.5
    return (w / step).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).round() * step


def dorefa(bits: int) -> torch.Tensor:
    """Zhou et al. 2016: 2 round((2^b - 1)(tanh w / 2 max|tanh w| + 1/2)) / (2^b - 1) - 1."""
    t = latent().tanh()
    most = 2**bits - 1
    return 2 * ((t / (2 * t.abs().max()) + 0.5) * most).round() / most - 1


def through(weight: torch.Tensor) -> torch.Tensor:
    """As straight-through training writes it, which rounds."""
    w = latent(3)
    return w + (weight - w).detach()


def unsigned(bits: int) -> torch.Tensor:
    """Of each filter, from its smallest to its largest value, with an integer zero point."""
    w = latent().flatten(1) + 0.6
    low, high = w.amin(1, keepdim=True).clamp(max=0), w.amax(1, keepdim=True)
    step = (high - low) / (2**bits - 1)
    zero = (-low / step).round()
    return (((w / step).round() + zero).clamp(0, 2**bits - 1) - zero).mul(step).view(SHAPE)


def codebook() -> torch.Tensor:
    levels = torch.tensor([-1.31, -0.7, -0.11, 0.05, 0.23, 0.817, 1.9])
    return levels[torch.randint(7, SHAPE, generator=torch.Generator().manual_seed(1))]


def powers() -> torch.Tensor:
    w = latent()
    return w.sign() * 2.0 ** w.abs().log2().round().clamp(-2, 1)


@pytest.mark.parametrize(
    ("make", "bits"),
    [
        (lambda: lsq(4), 4),
        (lambda: lsq(2), 2),
        (lambda: lsq(8), 8),
        (lambda: through(lsq(4)), 4),
        (lambda: dorefa(2), 2),
        (lambda: dorefa(3), 3),
        (lambda: dorefa(4), 4),
        (lambda: through(dorefa(2)), 2),
        (lambda: latent().sign() * latent().abs().mean(), 1),
        (lambda: through(latent().sign()), 1),
        (lambda: unsigned(4), 4),
        (lambda: unsigned(8), 8),
        (codebook, 3),
        (powers, 5),
        (lambda: latent(shape=(16, 1, 3, 3)).div(0.4).round().clamp(-7, 7) * 0.4, 4),
    ],
)
def test_the_bits_of_known_rules(make: Callable[[], torch.Tensor], bits: int) -> None:
    weight = make()
    found = low_bit(weight)
    assert found is not None
    assert found.bits == bits
    torch.testing.assert_close(found.weight(), weight, rtol=0, atol=1e-5 * float(weight.abs().max()))


@pytest.mark.parametrize("name", ["twn", "twn_per_filter", "ttq", "bwn", "int8", "int6", "int4"])
def test_our_own_quantizers_are_seen(name: str) -> None:
    stored = QUANTIZERS[name](latent()).store(latent())
    found = low_bit(through(stored.weight()))
    assert found is not None
    assert (found.bits, found.encoding) == (stored.bits, stored.encoding)
    assert torch.equal(found.values, stored.values)
    torch.testing.assert_close(found.weight(), stored.weight(), rtol=1e-5, atol=1e-6)


def pruned() -> torch.Tensor:
    w = latent(shape=(8, 16, 3, 3))
    return w * (w.abs() > 1.6)


@pytest.mark.parametrize(
    "weight",
    [
        latent(),
        latent(shape=(64, 3, 7, 7)),
        latent(shape=(32, 1, 3, 3)),
        latent(shape=(10, 4)),
        latent(shape=(300, 300)),
        pruned(),
        torch.zeros(SHAPE),
        torch.full(SHAPE, torch.nan),
        latent().half().float(),
    ],
)
def test_full_precision_is_not_taken_for_low_bits(weight: torch.Tensor) -> None:
    assert low_bit(weight) is None


def test_more_bits_may_be_asked_for_than_are_seen() -> None:
    weight = (latent() / 0.5).round().clamp(-2, 2) * 0.5
    seen, asked = low_bit(weight), low_bit(weight, 4)
    assert seen is not None
    assert asked is not None
    assert (seen.bits, asked.bits) == (3, 4)
    assert torch.equal(seen.weight(), asked.weight())


@pytest.mark.parametrize("make", [codebook, lambda: dorefa(3), lambda: unsigned(4)])
def test_every_pattern_of_a_seen_weight_stands_for_a_value(make: Callable[[], torch.Tensor]) -> None:
    found = low_bit(make())
    assert isinstance(found, StoredWeight)
    flipped = found.with_patterns(found.patterns() ^ 1)
    assert flipped.weight().isfinite().all()
    assert (flipped.weight() != found.weight()).any()
    assert torch.equal(found.with_patterns(found.patterns()).weight(), found.weight())


def test_fewer_bits_than_an_even_grid_needs_may_be_asked_for() -> None:
    """Powers of two: 13 levels, of which 127 steps of an even grid would be made."""
    w = latent()
    powers = w.sign() * 2.0 ** (w.abs() / w.abs().max()).log2().round().clamp(-5, 0)
    even, own = low_bit(powers), low_bit(powers, 4)
    assert even is not None
    assert own is not None
    assert (even.bits, own.bits) == (7, 4)
    torch.testing.assert_close(own.weight(), powers)
    assert low_bit(powers, 3) is None
