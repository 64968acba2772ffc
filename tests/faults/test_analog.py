"""Models of devices against their formulas, by a million draws."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import binom

from robench.core.seeding import stream
from robench.faults import Conductances
from robench.faults.analog import Crossbar, compensated
from robench.faults.pcm import pcm
from robench.faults.reram import reram
from robench.faults.stuck import stuck
from robench.quantizers.stored import coded, stored_float

MILLION = (2, 500_000)
MONTH = 30 * 86_400.0


def chip(purpose: str) -> np.random.Generator:
    return stream(0, "analog", purpose)


@pytest.mark.parametrize(
    "stored",
    [
        coded(torch.tensor([[-1, 0], [1, 1]]), torch.tensor([[2.0, 3.0]]), 2),
        coded(torch.tensor([[-1, 0], [1, 1]]), torch.tensor([[2.0], [5.0]]), 2),
        coded(torch.tensor([[-100, 7], [127, 0]]), torch.tensor([[0.1, 0.2]]), 8),
        stored_float(torch.tensor([[-0.3, 0.1], [0.2, 0.0]])),
        stored_float(torch.zeros(2, 2)),
    ],
)
def test_a_pair_of_devices_holds_a_weight(stored) -> None:
    crossbar = Crossbar(stored)
    assert crossbar.pairs.min() == 0
    assert crossbar.pairs.max() <= 1
    assert not (crossbar.pairs[0] * crossbar.pairs[1]).any()
    assert torch.allclose(crossbar.weight(crossbar.pairs), stored.weight(), atol=1e-6)


def test_codes_are_written_as_full_conductances_whatever_the_scales() -> None:
    stored = coded(torch.tensor([[-1, 1], [1, 0]]), torch.tensor([[0.01, 100.0]]), 2)
    assert set(Crossbar(stored).pairs.ravel().tolist()) == {0.0, 1.0}


def test_as_many_cells_are_stuck_as_were_asked_for_at_both_ends() -> None:
    pairs = np.full(MILLION, 0.5, np.float32)
    found = stuck(pairs, 0.1079, chip, lrs=1.0, hrs=5.17)
    low, high = binom.interval(0.999, pairs.size, 0.1079 / 6.17)
    assert low <= (found == 1).sum() <= high
    low, high = binom.interval(0.999, pairs.size, 0.1079 * 5.17 / 6.17)
    assert low <= (found == 0).sum() <= high
    more = stuck(pairs, 0.2, chip, lrs=1.0, hrs=5.17)
    assert (more[found != 0.5] == found[found != 0.5]).all()


def test_what_one_stuck_cell_makes_of_a_ternary_weight() -> None:
    crossbar = Crossbar(coded(torch.tensor([[0, 1, -1]]), torch.ones(1, 1), 2))
    low, high = (stuck(crossbar.pairs, 1.0, chip, lrs=lrs, hrs=1 - lrs) for lrs in (1, 0))
    for side, expected in ((0, [[1, 1, 0], [0, 0, -1]]), (1, [[-1, 0, -1], [0, 1, 0]])):
        for cells, wanted in zip((low, high), expected, strict=True):
            pairs = crossbar.pairs.copy()
            pairs[side] = cells[side]
            assert crossbar.weight(pairs).tolist() == [wanted]


@pytest.mark.parametrize("g", [0.1, 0.25, 0.5, 1.0])
class TestPcm:
    def test_programming(self, g: float) -> None:
        """Right after programming nothing has drifted, and a read adds little that is known."""
        found = pcm(np.full(MILLION, g, np.float32), 0.0, chip, compensation=False)
        programmed = (-1.1731 * g**2 + 1.9650 * g + 0.26348) / 25
        read = min(0.0088 / g**0.65, 0.2) * np.sqrt(np.log((20 + 250e-9) / 500e-9))
        expected = np.hypot(programmed, read * np.hypot(g, programmed))
        assert found.mean() == pytest.approx(g, rel=0.002)
        assert found.std() == pytest.approx(expected, rel=0.02)

    def test_drift(self, g: float) -> None:
        """The mean of t^-nu over a normal nu is t^-mu exp((s ln t)^2 / 2)."""
        found = pcm(np.full(MILLION, g, np.float32), MONTH, chip, compensation=False)
        mean = np.clip(-0.0155 * np.log(g) + 0.0244, 0.049, 0.1)
        spread = np.clip(-0.0125 * np.log(g) - 0.0059, 0.008, 0.045)
        log = np.log((MONTH + 20) / 20)
        assert found.mean() == pytest.approx(g * np.exp(-mean * log + (spread * log) ** 2 / 2), rel=0.01)

    def test_compensation_gives_the_sum_of_the_first_reads_back(self, g: float) -> None:
        pairs = np.stack([np.full(MILLION[1], g), np.zeros(MILLION[1])]).astype(np.float32)
        first = pcm(pairs, 0.0, chip, compensation=False)
        found = pcm(pairs, MONTH, chip)
        assert np.abs(found[0] - found[1]).sum() == pytest.approx(np.abs(first[0] - first[1]).sum(), rel=0.01)


def test_the_spread_that_the_field_reads_off_the_formulas() -> None:
    """Of a full-scale weight around its compensated value: 5.6% at a second, 11.4% at a month (FIELD, computed)."""
    for seconds, expected in ((1.0, 0.056), (86_400.0, 0.091), (MONTH, 0.114)):
        found = pcm(np.ones(MILLION, np.float32), seconds, chip, compensation=False)
        assert found.std() / found.mean() == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, 1.103), (86_400.0, 2.657), (172_800.0, 2.677)])
def test_reram_relaxes_as_measured(seconds: float, expected: float) -> None:
    found = reram(np.ones(MILLION, np.float32), seconds, chip, compensation=False)
    assert found.std() * 40 == pytest.approx(expected, rel=0.01)
    assert found.mean() == pytest.approx(1, abs=0.001)


def test_reram_is_interpolated_in_the_logarithm_of_time() -> None:
    spreads = [
        reram(np.full(MILLION, 0.5, np.float32), seconds, chip, compensation=False).std()
        for seconds in (1.0, np.sqrt(86_400.0), 86_400.0)
    ]
    assert spreads[1] == pytest.approx((spreads[0] + spreads[2]) / 2, rel=0.001)


@pytest.mark.parametrize("fault", [pcm, reram])
def test_no_conductance_is_negative_and_a_sound_pair_is_near_its_target(fault: Callable[..., Conductances]) -> None:
    pairs = np.stack([np.linspace(0, 1, 1000), np.zeros(1000)]).astype(np.float32)
    found = fault(pairs, 1.0, chip)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert np.abs(found - pairs).mean() < 0.05
    assert (fault(pairs, 1.0, chip) == found).all()


def test_nothing_is_compensated_where_nothing_is_read() -> None:
    assert not compensated(np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)).any()
