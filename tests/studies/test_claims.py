import pytest

from robench.results.stats import Estimate
from robench.studies.claims import FAILS, HOLDS, OPEN, Claim, at_most, better, claims_table, no_worse, the_same


@pytest.mark.parametrize(
    ("low", "high", "worse", "same"),
    [
        (-0.5, 0.5, HOLDS, HOLDS),
        (-0.5, 2.0, HOLDS, OPEN),
        (1.5, 2.0, HOLDS, FAILS),
        (-2.0, 0.5, OPEN, OPEN),
        (-2.0, 2.0, OPEN, OPEN),
        (-3.0, -1.5, FAILS, FAILS),
    ],
)
def test_verdicts_follow_from_the_interval(low: float, high: float, worse: str, same: str) -> None:
    difference = Estimate((low + high) / 2, low, high)
    assert (no_worse(difference, 1), the_same(difference, 1)) == (worse, same)


def test_a_claim_is_one_row() -> None:
    text = claims_table([Claim("It holds.", "1", "2", HOLDS)], "robench reproduce it")
    assert text.splitlines()[-1] == "| It holds. | 1 | 2 | holds | `robench reproduce it` |"


@pytest.mark.parametrize(
    ("low", "high", "positive", "bounded"),
    [(0.1, 0.5, HOLDS, HOLDS), (-0.1, 1.5, OPEN, OPEN), (-2.0, -1.0, FAILS, HOLDS), (1.5, 2.0, HOLDS, FAILS)],
)
def test_better_is_above_0_and_at_most_is_below_the_bound(low: float, high: float, positive: str, bounded: str) -> None:
    estimate = Estimate((low + high) / 2, low, high)
    assert (better(estimate), at_most(estimate, 1)) == (positive, bounded)
