import pytest

from robench.stats import Estimate
from robench.studies.claims import FAILS, HOLDS, OPEN, Claim, claims_table, no_worse, the_same


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
