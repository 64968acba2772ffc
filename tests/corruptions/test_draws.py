"""The tables against the distributions that they stand for."""

import numpy as np
import pytest
from scipy import stats

from robench.corruptions.apply import amount_of, corrupt
from robench.corruptions.draws import CELLS, Draws, _normal_table, _poisson_table


def draws() -> Draws:
    return Draws(np.random.default_rng(0))


def test_the_normal_table_is_the_normal_distribution() -> None:
    table = _normal_table()
    assert abs(table.mean()) < 1e-6
    assert table.var() == pytest.approx(1, abs=2e-4)
    assert stats.kstest(table, "norm").statistic < 1 / CELLS
    assert stats.kstest(draws().normal((20_000,)), "norm").pvalue > 0.01


@pytest.mark.parametrize("photons", [50, 500])
def test_the_poisson_table_is_the_poisson_distribution(photons: int) -> None:
    means = np.arange(256) * photons / 255
    rows = _poisson_table(tuple(means)).reshape(256, CELLS)
    assert (rows[0] == 0).all()
    np.testing.assert_allclose(rows.mean(1), means, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(rows.var(1), means, rtol=5e-3, atol=1e-3)
    for level in (1, 40, 255):
        counts = np.bincount(rows[level], minlength=photons * 2)
        expected = CELLS * stats.poisson.pmf(np.arange(len(counts)), means[level])
        assert np.abs(counts - expected).max() <= 1


def test_uniform_is_inside_the_open_interval() -> None:
    numbers = draws().uniform((100_000,))
    assert 0 < numbers.min() < 1e-4
    assert 1 > numbers.max() > 1 - 1e-4
    assert stats.kstest(numbers, "uniform").pvalue > 0.01


def test_an_untouched_pixel_keeps_its_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(64, 0)
    noisy = corrupt(levels, "salt_and_pepper", amount_of("salt_and_pepper", 1), seed=0)
    untouched = (noisy != 0) & (noisy != 255)
    assert untouched.mean() > 0.95
    assert np.array_equal(noisy[untouched], levels[untouched])
