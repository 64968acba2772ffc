"""A card as a table of pandas."""

from typing import TYPE_CHECKING

from robench.core.optional import import_optional
from robench.core.types import ResultCard
from robench.results.scores import parts, score, score_difference
from robench.results.stats import Estimate
from robench.results.summary import accuracy, difference, flags, groups

if TYPE_CHECKING:
    import pandas as pd

SCORES = "Scores"
"""The section of the lines that are scores."""


def to_frame(card: ResultCard, twin: ResultCard | None = None) -> "pd.DataFrame":
    """The scores and the rows of a card's tables, one a line.

    Args:
        card: the card.
        twin: that of its twin, for the differences.

    Returns:
        A DataFrame with section, condition, kind, name and level (missing where several levels are averaged), draws,
        accuracy with low and high, difference with its own, all shares in [-1, 1] and missing where there is none, and
        flags. ``attrs`` has the model, suite, data and provenance.

    Raises:
        RobenchError: pandas is not installed.
    """
    lines = []
    for part in parts(card.suite):
        gap = score_difference(card, twin, part) if twin else ""
        lines.append({"section": SCORES, "condition": part} | _numbers(score(card, part), gap) | {"flags": ""})
    for group in groups(card.suite):
        condition, *others = group.conditions
        known = {
            "section": group.section,
            "condition": group.label,
            "kind": condition.kind,
            "name": condition.name,
            "level": None if others else condition.level,
            "draws": condition.draws,
        }
        gap = difference(card, twin, group) if twin else ""
        lines.append(known | _numbers(accuracy(card, group), gap) | {"flags": "; ".join(flags(card, group))})
    columns = list(dict.fromkeys(name for line in reversed(lines) for name in line))
    frame = import_optional("pandas").DataFrame(lines, columns=columns)
    suite = card.suite
    frame.attrs = {
        "model": card.model.name,
        "twin": twin.model.name if twin else "",
        "suite": suite.name,
        "version": suite.version,
        "data": card.data.name,
        "n_images": card.data.n,
        "fingerprint": card.data.fingerprint,
        **card.provenance,
    }
    return frame


def _numbers(value: Estimate | str, gap: Estimate | str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, prefix, estimate in (("accuracy", "", value), ("difference", "difference_", gap)):
        known = None if isinstance(estimate, str) else estimate
        found[name] = known.value if known else None
        found[f"{prefix}low"] = known.low if known else None
        found[f"{prefix}high"] = known.high if known else None
    return found
