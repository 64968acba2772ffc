"""Which cells err: the numbers behind them are uniform, their order random, and both are the same at every rate."""

import numpy as np
import pytest
from scipy.stats import binom, kstest

from robench.core.seeding import stream
from robench.faults import Streams
from robench.faults.chips import below, first


def chip(number: int) -> Streams:
    return lambda purpose: stream(0, "test", number, purpose)


@pytest.mark.parametrize("size", [1, 2, 63, 5_000])
def test_errors_nest_in_the_rate(size: int) -> None:
    before: dict[int, float] = {}
    for rate in (0.0, 1e-4, 0.01, 0.3, 0.5, 0.7, 0.99, 1.0):
        places, numbers = below(size, rate, chip(1))
        assert len(set(places.tolist())) == len(places)
        assert (numbers < rate).all()
        now = dict(zip(places.tolist(), numbers.tolist(), strict=True))
        assert before.items() <= now.items()
        before = now
    assert sorted(before) == list(range(size))


def test_the_number_of_errors_is_binomial() -> None:
    counts = [len(below(1000, 0.02, chip(number))[0]) for number in range(2000)]
    for share in (0.1, 0.5, 0.9):
        bound = binom.ppf(share, 1000, 0.02)
        assert np.mean(np.array(counts) <= bound) == pytest.approx(binom.cdf(bound, 1000, 0.02), abs=0.035)


def test_every_cell_has_a_uniform_number_of_its_own() -> None:
    numbers = np.zeros((400, 40))
    for number in range(len(numbers)):
        places, found = below(40, 1.0, chip(number))
        numbers[number, places] = found
    assert kstest(numbers.ravel(), "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(numbers.T) - np.eye(40)).max() < 0.25
    assert numbers.mean(0) == pytest.approx(np.full(40, 0.5), abs=0.07)


def test_the_order_of_cells_is_one_order() -> None:
    everything = first(10_000, 10_000, chip(3))
    assert sorted(everything.tolist()) == list(range(10_000))
    for count in (0, 1, 999, 5_000, 5_001, 9_999):
        assert (first(10_000, count, chip(3)) == everything[:count]).all()


def test_few_errors_of_many_cells_take_few_random_numbers() -> None:
    places, _ = below(10**12, 1e-9, chip(0))
    assert 800 < len(places) < 1200
    assert places.max() > 10**11
