import tracemalloc

import numpy as np
import pytest
from scipy.stats import binomtest

from robench.results.stats import (
    _known_counts,
    bootstrap_mean,
    bootstrap_p,
    holm,
    mcnemar,
    median,
    paired_difference,
    wilson,
)


def test_wilson_by_hand() -> None:
    # p = 0.8, n = 10, z = 1.959964: (0.8 + 0.19207) / 1.38415 = 0.71674, half width 0.22659.
    estimate = wilson(8, 10)
    assert estimate.value == 0.8
    assert estimate.low == pytest.approx(0.4902, abs=1e-4)
    assert estimate.high == pytest.approx(0.9433, abs=1e-4)


@pytest.mark.parametrize(("correct", "total"), [(0, 7), (7, 7), (500, 1000), (931, 1017)])
def test_wilson_is_scipys(correct: int, total: int) -> None:
    theirs = binomtest(correct, total).proportion_ci(method="wilson")
    ours = wilson(correct, total)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def pair(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first, second, neither)
    return (np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts))


def test_mcnemar_by_hand() -> None:
    # 1 against 5 discordant pairs: 2 (C(6,0) + C(6,1)) / 2^6 = 14/64.
    assert mcnemar(*pair(80, 1, 5, 14)) == pytest.approx(14 / 64)
    assert mcnemar(*pair(80, 0, 0, 20)) == 1


def test_paired_difference_by_hand() -> None:
    # b = 1.5, c = 5.5, n = 102: centre -4/102, half 1.96 sqrt(7 - 16/102) / 102.
    estimate = paired_difference(*pair(80, 1, 5, 14))
    assert estimate.value == pytest.approx(-0.04)
    assert estimate.low == pytest.approx(-0.0892, abs=1e-3)
    assert estimate.high == pytest.approx(0.0110, abs=1e-3)


def test_paired_difference_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        common = rng.random(300) < 0.7
        first, second = common & (rng.random(300) < 0.95), common & (rng.random(300) < 0.9)
        estimate = paired_difference(first, second)
        hits += estimate.low <= 0.7 * 0.05 <= estimate.high
    assert hits / 400 == pytest.approx(0.95, abs=0.03)


def test_bootstrap_over_images_is_the_normal_interval_for_many_images() -> None:
    values = (np.random.default_rng(0).random((5, 2000)) < 0.3).astype(float)
    estimate = bootstrap_mean(values, resample_rows=False)
    half = 1.96 * values.mean(0).std() / 2000**0.5
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.1)


def test_two_way_bootstrap_sees_the_spread_of_draws() -> None:
    """Ten draws whose accuracies differ widely: the draws, not the thousand images, decide the interval."""
    rng = np.random.default_rng(0)
    accuracies = np.linspace(0.2, 0.8, 10)
    values = (rng.random((10, 1000)) < accuracies[:, None]).astype(float)
    pooled = bootstrap_mean(values, resample_rows=False)
    estimate = bootstrap_mean(values, resample_rows=True)
    assert estimate.high - estimate.low > 5 * (pooled.high - pooled.low)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * accuracies.std() / 10**0.5, rel=0.15)


def test_bootstrap_is_reproducible() -> None:
    values = np.random.default_rng(1).random((3, 50))
    assert bootstrap_mean(values, resample_rows=True) == bootstrap_mean(values, resample_rows=True)


def test_median_has_an_interval_of_order_statistics() -> None:
    values = np.arange(1.0, 102.0)
    estimate = median(values)
    assert (estimate.value, estimate.low, estimate.high) == (51, 41, 61)
    assert median(np.array([1.0, np.inf, np.inf])).value == np.inf


def test_the_interval_of_the_median_covers() -> None:
    rng = np.random.default_rng(0)
    estimates = [median(rng.normal(size=60)) for _ in range(1000)]
    assert 0.93 < np.mean([e.low <= 0 <= e.high for e in estimates]) < 0.99


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_bootstrap_p_value_is_small_for_a_difference_and_large_for_none() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(5, 400))
    assert bootstrap_p(noise + 0.3, resample_rows=True) < 0.01
    assert bootstrap_p(noise - noise.mean(), resample_rows=False) > 0.5
    nulls = [bootstrap_p(rng.normal(size=(1, 100)), resample_rows=False) for _ in range(200)]
    assert np.mean(np.array(nulls) < 0.05) < 0.1


@pytest.mark.parametrize("resample_rows", [True, False])
def test_outcomes_are_resampled_in_whole_numbers_which_no_processor_rounds(resample_rows: bool) -> None:
    differences = np.random.default_rng(0).choice([-1, 0, 1], (10, 1000), p=[0.1, 0.8, 0.1])
    image_counts, row_counts = (counts.astype(int) for counts in _known_counts(10, 1000))
    row_counts = row_counts if resample_rows else np.ones((1, 10), int)
    sums = (row_counts * (image_counts @ differences.T)).sum(1)
    assert (sums == 0).any()
    expected = 2 * (min((sums <= 0).sum(), (sums >= 0).sum()) + 1) / (len(sums) + 1)
    assert bootstrap_p(differences.astype(float), resample_rows=resample_rows) == min(expected, 1)
    ends = np.quantile(sums / differences.size, [0.025, 0.975])
    estimate = bootstrap_mean(differences.astype(float), resample_rows=resample_rows)
    assert (estimate.low, estimate.high) == pytest.approx(ends, abs=1e-12)


@pytest.mark.parametrize("resample_rows", [True, False])
def test_many_images_are_resampled_by_what_they_gave(resample_rows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = np.random.default_rng(0).random((5, 1500)) < 0.7
    one_by_one = bootstrap_mean(outcomes.astype(float), resample_rows=resample_rows)
    monkeypatch.setattr("robench.results.stats.MANY", 100)
    together = bootstrap_mean(outcomes.astype(float), resample_rows=resample_rows)
    assert together.value == one_by_one.value
    assert (together.low, together.high) == pytest.approx((one_by_one.low, one_by_one.high), abs=0.002)


def test_the_bootstrap_of_a_million_images_is_small() -> None:
    outcomes = np.random.default_rng(0).random((5, 10**6)) < 0.7
    tracemalloc.start()
    estimate = bootstrap_mean(outcomes, resample_rows=False)
    assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    tracemalloc.stop()
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * (0.21 / 5e6) ** 0.5, rel=0.1)
