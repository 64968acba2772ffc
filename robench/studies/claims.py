"""What a study says, and whether it holds here."""

from collections.abc import Iterable
from dataclasses import dataclass

from robench.results.markdown import table
from robench.results.stats import Estimate

HOLDS, FAILS, OPEN, UNRUN = "holds", "does not hold", "cannot be told", "cannot be run here"


@dataclass(frozen=True)
class Claim:
    """One row of a table of claims.

    Attributes:
        text: the claim in one sentence.
        published: the study's number, or "not given".
        ours: the number here with its interval.
        verdict: HOLDS, FAILS, OPEN or UNRUN, and why where that is not plain.
    """

    text: str
    published: str
    ours: str
    verdict: str


def no_worse(difference: Estimate, margin: float) -> str:
    """The verdict on "loses no more than ``margin``", from the 95% interval of a difference (positive: better)."""
    if difference.low > -margin:
        return HOLDS
    return FAILS if difference.high < -margin else OPEN


def better(difference: Estimate) -> str:
    """The verdict on "is better", from the 95% interval of a difference (positive: better)."""
    return HOLDS if difference.low > 0 else FAILS if difference.high < 0 else OPEN


def at_most(value: Estimate, bound: float) -> str:
    """The verdict on "is at most ``bound``", from a 95% interval."""
    return HOLDS if value.high <= bound else FAILS if value.low > bound else OPEN


def the_same(difference: Estimate, margin: float) -> str:
    """The verdict on "differs by no more than ``margin``", from the 95% interval of a difference."""
    if -margin < difference.low and difference.high < margin:
        return HOLDS
    return FAILS if difference.low > margin or difference.high < -margin else OPEN


def claims_table(claims: Iterable[Claim], command: str) -> str:
    """The table of claims, each with the command that measures it."""
    rows = [[claim.text, claim.published, claim.ours, claim.verdict, f"`{command}`"] for claim in claims]
    return table(["claim", "published", "here", "verdict", "command"], rows)
