import tracemalloc

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from robench.results.stats import (
    _known_counts,
    bootstrap_mean,
    bootstrap_p,
    counted_mean,
    crossed_mean,
    crossed_p,
    crossed_sum,
    crossed_sum_p,
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
    estimate = bootstrap_mean(values)
    half = 1.96 * values.mean(0).std() / 2000**0.5
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.1)


def test_the_spread_of_draws_decides_the_interval_where_they_differ_widely() -> None:
    rng = np.random.default_rng(0)
    accuracies = np.linspace(0.2, 0.8, 10)
    values = (rng.random((10, 1000)) < accuracies[:, None]).astype(float)
    fixed, estimate = bootstrap_mean(values), crossed_mean(values)
    assert estimate.high - estimate.low > 5 * (fixed.high - fixed.low)
    half = ttest_1samp(values.mean(1), 0).confidence_interval().high - values.mean()
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.01)


def test_equal_draws_have_the_interval_of_their_images() -> None:
    values = np.tile(np.random.default_rng(0).random(1000) < 0.3, (10, 1)).astype(float)
    expected = ttest_1samp(values[0], 0).confidence_interval()
    estimate = crossed_mean(values)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("draws", [5, 10, 50])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_over_draws_and_images_covers(draws: int, spread: float, skewed: bool) -> None:
    """Images of different difficulty, chips of different quality (skewed: few of them much worse), and chance.

    Where chips are strongly skewed, no interval from so few of them covers 95%: 85% is what this one is held to.
    """
    rng = np.random.default_rng(draws)

    def outcomes(chips: int, images: int) -> np.ndarray:
        quality = 1 - rng.gamma(0.7, 1 / 0.7, chips) if skewed else rng.normal(size=chips)
        logits = rng.normal(1.5, 2, images) + spread * quality[:, None] + rng.normal(size=(chips, images))
        return (rng.random((chips, images)) < 1 / (1 + np.exp(-logits))).astype(float)

    truth = np.mean([outcomes(2000, 1).mean() for _ in range(500)])
    estimates = [crossed_mean(outcomes(draws, 200)) for _ in range(200)]
    coverage = np.mean([e.low <= truth <= e.high for e in estimates])
    assert coverage >= (0.83 if skewed and spread > 1 else 0.9)
    assert coverage <= 0.995


def test_the_p_value_over_draws_and_images_is_that_of_its_interval() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(5, 400)) + 0.1
    estimate = crossed_mean(differences)
    assert (crossed_p(differences) < 0.05) == (not estimate.low <= 0 <= estimate.high)
    assert crossed_p(differences + 1) < 1e-6
    assert crossed_p(np.zeros((5, 10))) == 1.0
    nulls = [crossed_p(rng.normal(size=(5, 50)) + rng.normal(size=(5, 1))) for _ in range(400)]
    assert 0.02 < np.mean(np.array(nulls) < 0.05) < 0.09


@pytest.mark.parametrize("draws", [(1, 10), (5, 10), (5, 50)])
def test_the_interval_of_a_sum_covers_where_each_part_has_draws_of_its_own(draws: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    images, truth, estimates = 200, 0.6, []
    for _ in range(400):
        of_image = rng.normal(0, 0.15, images)
        blocks = [
            0.5 * (rng.random((d, images)) < 0.6 + of_image + (rng.normal(0, 0.1, (d, 1)) if d > 1 else 0))
            for d in draws
        ]
        estimates.append(crossed_sum(blocks))
    coverage = np.mean([e.low <= truth <= e.high for e in estimates])
    assert 0.91 <= coverage <= 0.99


def test_a_sum_of_one_part_is_its_mean_and_without_draws_students() -> None:
    values = np.random.default_rng(0).integers(0, 2, (6, 90)).astype(float)
    assert crossed_sum([values]) == crossed_mean(values)
    fixed = values[:1] - 0.4
    assert crossed_sum_p([fixed]) == pytest.approx(ttest_1samp(fixed[0], 0).pvalue)
    low, high = ttest_1samp(fixed[0], 0).confidence_interval()
    assert (crossed_sum([fixed]).low, crossed_sum([fixed]).high) == pytest.approx((low, high))
    single = crossed_sum([values[:, :1]])
    assert (single.low, single.high) == (-np.inf, np.inf)  # of one image nothing is known about others


def test_bootstrap_is_reproducible() -> None:
    values = np.random.default_rng(1).random((3, 50))
    assert bootstrap_mean(values) == bootstrap_mean(values)


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
    assert bootstrap_p(noise + 0.3) < 0.01
    assert bootstrap_p(noise - noise.mean()) > 0.5
    nulls = [bootstrap_p(rng.normal(size=(1, 100))) for _ in range(200)]
    assert np.mean(np.array(nulls) < 0.05) < 0.1


def test_outcomes_are_resampled_in_whole_numbers_which_no_processor_rounds() -> None:
    differences = np.random.default_rng(0).choice([-1, 0, 1], (10, 1000), p=[0.1, 0.8, 0.1])
    (image_counts,) = (counts.astype(int) for counts in _known_counts(10, 1000))
    sums = image_counts @ differences.sum(0)
    assert (sums == 0).any()
    expected = 2 * (min((sums <= 0).sum(), (sums >= 0).sum()) + 1) / (len(sums) + 1)
    assert bootstrap_p(differences.astype(float)) == min(expected, 1)
    ends = np.quantile(sums / differences.size, [0.025, 0.975])
    estimate = bootstrap_mean(differences.astype(float))
    assert (estimate.low, estimate.high) == pytest.approx(ends, abs=1e-12)


def test_many_images_are_resampled_by_what_they_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = np.random.default_rng(0).random((5, 1500)) < 0.7
    one_by_one = bootstrap_mean(outcomes.astype(float))
    monkeypatch.setattr("robench.results.stats.MANY", 100)
    together = bootstrap_mean(outcomes.astype(float))
    assert together.value == one_by_one.value
    assert (together.low, together.high) == pytest.approx((one_by_one.low, one_by_one.high), abs=0.002)


def test_the_bootstrap_of_a_million_images_is_small() -> None:
    outcomes = np.random.default_rng(0).random((5, 10**6)) < 0.7
    tracemalloc.start()
    estimate = bootstrap_mean(outcomes)
    assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    tracemalloc.stop()
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * (0.21 / 5e6) ** 0.5, rel=0.1)


def test_the_mean_of_counts_covers_the_truth_over_draws_and_images() -> None:
    rng = np.random.default_rng(0)

    def drawn() -> list[int]:
        images = rng.normal(0, 1, 300)
        return [int((images + rng.normal(0, 0.2, 300) + rng.normal(0, 0.1) > 0).sum()) for _ in range(5)]

    estimates = [counted_mean(drawn(), 300) for _ in range(400)]
    assert np.mean([e.low <= 0.5 <= e.high for e in estimates]) >= 0.93
    alone = counted_mean([150], 300)
    assert alone.high - alone.value == pytest.approx(1.96 * np.sqrt(0.25 / 300), rel=1e-3)
    assert counted_mean([300, 300], 300).low == 1.0
