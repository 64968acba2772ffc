"""Two result cards, condition by condition."""

from dataclasses import dataclass, replace

from robench.core.errors import RobenchError
from robench.core.types import ResultCard
from robench.results.stats import Estimate, holm
from robench.results.summary import Group, accuracy, difference, groups, p_value


@dataclass(frozen=True)
class Row:
    """One row of a comparison.

    Attributes:
        section, condition: of the tables.
        first, second: accuracy of each model, in [0, 1].
        difference: first minus second, paired by image and draw.
        p: of no difference; exact McNemar for one condition, bootstrap for several.
        p_holm: the same, adjusted for the number of rows.
    """

    section: str
    condition: str
    first: Estimate
    second: Estimate
    difference: Estimate
    p: float
    p_holm: float


def compare(first: ResultCard, second: ResultCard) -> list[Row]:
    """One row for each condition that both were measured under.

    Raises:
        RobenchError: they are not of the same images under the same suite.
    """
    if first.data != second.data or first.suite != second.suite:
        raise RobenchError(
            f"{first.model.name} and {second.model.name} were not measured on the same images under the same suite."
        )
    rows = [row for group in groups(first.suite) if (row := _row(first, second, group))]
    return [replace(row, p_holm=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True)]


def _row(first: ResultCard, second: ResultCard, group: Group) -> Row | None:
    p = p_value(first, second, group)
    ours, theirs, gap = accuracy(first, group), accuracy(second, group), difference(first, second, group)
    if p is None or isinstance(ours, str) or isinstance(theirs, str) or isinstance(gap, str):
        return None
    return Row(group.section, group.label, ours, theirs, gap, p, p)
