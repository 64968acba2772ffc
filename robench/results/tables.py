"""Tables of several models, as they stand in papers: what is in them. ``robench.results.exports`` writes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.registry import did_you_mean
from robench.core.types import ResultCard, Suite
from robench.results.scores import parts, score, score_difference, score_p
from robench.results.stats import Estimate, holm
from robench.results.summary import Group, accuracy, difference, groups, p_value
from robench.results.words import ALPHA

CLEAN_COLUMN = "clean"
Fact = int | float | str
FACTS: dict[str, Callable[[ResultCard], Fact]] = {
    "architecture": lambda card: card.model.architecture,
    "quantizer": lambda card: card.model.quantizer,
    "bits": lambda card: card.model.bits,
    "size": lambda card: card.model.stored_bytes,
    "parameters": lambda card: card.model.weights,
    "bits_per_weight": lambda card: card.model.bits_per_weight,
    "twin": lambda card: card.twin[0],
}
"""Columns that are known before anything is measured; the size is in bytes."""
DEFAULT = ("bits", "size", CLEAN_COLUMN)
"""Columns of a table for which none are named; the scores of its suite follow."""
BOLD = (
    "Bold: the highest accuracy of a column, and every one that a paired test cannot tell from it "
    f"(p >= {ALPHA:g} after Holm's correction over the column)."
)


@dataclass(frozen=True)
class Cell:
    """One accuracy in a table.

    Attributes:
        value: it, or the sign that stands for it.
        gap: that minus the twin's, or the sign that stands for it; empty without a twin.
        bold: by the rule of ``BOLD``.
    """

    value: Estimate | str
    gap: Estimate | str = ""
    bold: bool = False


@dataclass(frozen=True)
class PaperTable:
    """A table of several models on the same images under the same suite.

    Attributes:
        cards: one a line.
        facts: columns of what is known of the models, one a line.
        columns: columns of accuracies, one cell a line.
    """

    cards: tuple[ResultCard, ...]
    facts: dict[str, tuple[Fact, ...]]
    columns: dict[str, tuple[Cell, ...]]


def fact_text(name: str, value: Fact) -> str:
    """A fact as people read it."""
    if name == "size":
        return f"{int(value) / 1000:,.0f} kB"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if isinstance(value, float) else value


@dataclass(frozen=True)
class Column:
    """How a column of accuracies is computed: alone, against another network, and whether the two can be told apart."""

    accuracy: Callable[[ResultCard], Estimate | str]
    difference: Callable[[ResultCard, ResultCard], Estimate | str]
    p: Callable[[ResultCard, ResultCard], float | None]


def paper_table(
    cards: Sequence[ResultCard], twins: Sequence[ResultCard | None], columns: Sequence[str] = ()
) -> PaperTable:
    """A table of models.

    Args:
        cards: of the models, in the order of the lines.
        twins: the twin of each, or None.
        columns: names or shell patterns of columns, in their order: those of ``FACTS``, scores (``noise``), rows of the
            boards (``pgd (20) 1/255``), or conditions (``attack/pgd``). Some that are of use by default.

    Raises:
        RobenchError: no cards, cards that cannot stand in one table, or a column that there is not.
    """
    if not cards:
        raise RobenchError("a table needs a card at least.")
    if len({(card.data, card.suite) for card in cards}) > 1:
        raise RobenchError("these cards were not measured on the same images under the same suite; make a table each.")
    suite = cards[0].suite
    known = available(suite)
    asked = list(columns) or [name for name in (*DEFAULT, *parts(suite)) if name in FACTS or name in known]
    chosen = list(dict.fromkeys(name for text in asked for name in _matching(text, suite, list(known))))
    return PaperTable(
        tuple(cards),
        {name: tuple(FACTS[name](card) for card in cards) for name in chosen if name in FACTS},
        {name: _cells(known[name], cards, twins) for name in chosen if name not in FACTS},
    )


def available(suite: Suite) -> dict[str, Column]:
    """The columns of accuracies that a suite gives, by name: scores, then the rows of its boards."""
    found = {
        part: Column(partial(score, part=part), partial(score_difference, part=part), partial(score_p, part=part))
        for part in parts(suite)
    }
    for group in groups(suite):
        found[_name(group)] = Column(
            partial(accuracy, group=group), partial(difference, group=group), partial(p_value, group=group)
        )
    return found


def _name(group: Group) -> str:
    return group.label if group.outcome == "top1" else f"{group.label}, {group.outcome}"


def _matching(text: str, suite: Suite, known: Sequence[str]) -> list[str]:
    """The names of the columns that a name or pattern means."""
    names = [*FACTS, *known]
    if text in names:
        return [text]
    conditions = [
        _name(group)
        for group in groups(suite)
        if group.outcome == "top1" and any(c.matches(text) for c in group.conditions)
    ]
    found = [name for name in names if fnmatchcase(name, text)] or conditions
    if not found:
        raise RobenchError(f"no column is named {short(repr(text))}; {did_you_mean(text, names)}")
    return found


def _cells(column: Column, cards: Sequence[ResultCard], twins: Sequence[ResultCard | None]) -> tuple[Cell, ...]:
    values = [column.accuracy(card) for card in cards]
    best = _best(column, cards, values)
    gaps = [column.difference(card, twin) if twin else "" for card, twin in zip(cards, twins, strict=True)]
    return tuple(Cell(value, gap, place in best) for place, (value, gap) in enumerate(zip(values, gaps, strict=True)))


def _best(column: Column, cards: Sequence[ResultCard], values: Sequence[Estimate | str]) -> set[int]:
    """The places of the highest value and of those that cannot be told from it; none where one alone has a value."""
    known = {place: value.value for place, value in enumerate(values) if isinstance(value, Estimate)}
    if len(known) < 2:
        return set()
    first = max(known, key=lambda place: known[place])
    others = [place for place in known if place != first]
    p_values = [column.p(cards[place], cards[first]) for place in others]
    corrected = holm([1.0 if p is None else p for p in p_values])
    return {first, *(place for place, p in zip(others, corrected, strict=True) if p >= ALPHA)}
