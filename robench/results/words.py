"""The answer in words: one paragraph about a network and its twin, made from the numbers by fixed rules.

docs/scores.md states the rules. Nothing is said that the numbers do not say: better and worse only where a paired test
tells it after Holm's correction, "to within" only where the whole interval lies there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from robench.core.types import CLEAN, ResultCard, Suite
from robench.results.compare import Row, compare
from robench.results.scores import parts, score, score_difference, score_p
from robench.results.stats import Estimate, holm
from robench.results.summary import (
    MISSING,
    accuracy,
    difference,
    flags,
    groups,
    p_value,
    percent,
    together,
)

CIRCUMSTANCES = {
    "noise": "under noise",
    "attacks": "under attack",
    "weights": "with its weights disturbed",
    "memory": "with errors in its memory",
}
"""How a sentence tells which part it is about; parts of other packages have ``under`` and their name."""
ALPHA = 0.05
CLOSE = 2
"""Points within which a network is said to keep its twin's accuracy."""
LISTED = 3
"""Rows that are named; the others are counted."""
SAME_SIZE = 1.05
"""Ratio of sizes below which two networks are as large as each other."""


@dataclass(frozen=True)
class Finding:
    """How a network does in some circumstances, alone and against its twin.

    Attributes:
        circumstance: in words, such as ``under noise``.
        own: its accuracy or score.
        gap: that minus the twin's.
        p: of no difference; None where there is no difference.
    """

    circumstance: str
    own: Estimate | str
    gap: Estimate | str
    p: float | None


def answer(card: ResultCard, twin: ResultCard | None = None) -> str:
    """A paragraph about a network, and about what it gains and loses against its twin; plain text from cards' names.

    Raises:
        RobenchError: the two were not measured on the same images under the same suite.
    """
    found = findings(card, twin)
    sentences = [_size(card, twin), *_circumstances(card, twin, found)]
    if twin:
        sentences += _rows(_shown(compare(card, twin), card.suite))
    else:
        sentences.append("There is no twin here to compare it with.")
    flagged = sum(bool(flags(card, group)) for group in groups(card.suite))
    if flagged:
        sentences.append(
            f"{_count(flagged, 'row')} of its table {'is' if flagged == 1 else 'are'} flagged as doubtful."
        )
    return " ".join(filter(None, sentences))


def findings(card: ResultCard, twin: ResultCard | None) -> list[Finding]:
    """Clean accuracy and the scores, those of a suite's parts that it has."""
    found = []
    if CLEAN in card.suite.conditions:
        clean = together(CLEAN)
        gap, p = (difference(card, twin, clean), p_value(card, twin, clean)) if twin else (MISSING, None)
        found.append(Finding("without noise", accuracy(card, clean), gap, p))
    for part in parts(card.suite):
        gap, p = (score_difference(card, twin, part), score_p(card, twin, part)) if twin else (MISSING, None)
        found.append(Finding(CIRCUMSTANCES.get(part, f"under {part}"), score(card, part), gap, p))
    return found


def told(gap: Estimate, p_holm: float) -> int:
    """1 for better, -1 for worse, 0 where it cannot be told: the corrected test and the interval must both say so."""
    if p_holm >= ALPHA or gap.low <= 0 <= gap.high:
        return 0
    return 1 if gap.value > 0 else -1


def _size(card: ResultCard, twin: ResultCard | None) -> str:
    name, size = card.model.name, card.model.stored_bytes
    if not size:
        return ""
    if not twin or not twin.model.stored_bytes:
        return f"{name} takes {_bytes(size)}."
    other = twin.model.stored_bytes
    ratio = max(size, other) / min(size, other)
    against = f"({_bytes(size)} against {_bytes(other)})"
    if ratio < SAME_SIZE:
        return f"{name} is as large as {twin.model.name} {against}."
    times = f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}"
    return f"{name} is {times} times {'smaller' if size < other else 'larger'} than {twin.model.name} {against}."


def _circumstances(card: ResultCard, twin: ResultCard | None, found: Sequence[Finding]) -> Iterator[str]:
    compared = [finding for finding in found if finding.p is not None]
    corrected = dict(
        zip((f.circumstance for f in compared), holm([f.p for f in compared if f.p is not None]), strict=True)
    )
    where = f"On {_count(card.data.n, 'image')} of {card.data.name}, "
    for finding in found:
        sentence = _sentence(finding, corrected.get(finding.circumstance, 1.0), twin)
        yield f"{where}{sentence}." if where else f"{sentence[0].upper()}{sentence[1:]}."
        where = ""


def _sentence(finding: Finding, p_holm: float, twin: ResultCard | None) -> str:
    begin, own = finding.circumstance, finding.own
    if isinstance(own, str):
        return f"{begin}: {'not measured' if own == MISSING else own}"
    gap = finding.gap
    if isinstance(gap, str):
        alone = f"{begin} its accuracy is {percent(own)} percent"
        return f"{alone}; its twin was not measured" if twin else alone
    numbers = f"({100 * own.value:.1f} percent, {percent(gap, signed=True)} points)"
    side = told(gap, p_holm)
    if side:
        return f"{begin} it {'gains' if side > 0 else 'loses'} {_points(abs(gap.value))} {numbers}"
    widest = max(abs(round(100 * bound, 1)) for bound in (gap.low, gap.high))
    if widest <= CLOSE:
        within = "a point" if widest <= 1 else f"{ceil(widest)} points"
        return f"{begin} it keeps its twin's accuracy to within {within} {numbers}"
    corrected = "" if gap.low <= 0 <= gap.high else " after Holm's correction"
    return f"{begin} a difference cannot be told{corrected} {numbers}"


def _shown(rows: Sequence[Row], suite: Suite) -> list[Row]:
    """The rows without those that judge the same adversarial images again, rounded."""
    names = {(group.section, group.label) for group in groups(suite) if group.outcome == "top1"}
    return [row for row in rows if (row.section, row.condition) in names]


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    """Which rows of a table are worse and which better, the most so first."""
    of_all = f"of {_count(len(rows), 'row')}"
    for side, word in ((-1, "Worse"), (1, "Better")) if rows else ():
        found = [row for row in rows if told(row.difference, row.p_holm) == side]
        found.sort(key=lambda row: -abs(row.difference.value))
        named = "; ".join(_row(row) for row in found[:LISTED])
        rest = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
        yield f"{word} than its twin in {len(found) or 'none'} {of_all}{': ' if found else ''}{named}{rest}."


def _row(row: Row) -> str:
    return f"{row.section.lower()}, {row.condition} ({percent(row.difference, signed=True)})"


def _points(share: float) -> str:
    points = f"{100 * share:.1f}"
    if points == "0.0":
        return "less than 0.1 points"
    return "1 point" if points == "1.0" else f"{points} points"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _bytes(count: int) -> str:
    return f"{count / 1000:,.0f} kB" if count >= 10_000 else f"{count:,} bytes"
