"""A card in a notebook: the answer in words, and its scores and rows as a table. What a card says is text there."""

from collections.abc import Iterator
from html import escape

from robench.core.types import CLEAN, ResultCard
from robench.results.scores import parts, score, score_difference
from robench.results.stats import Estimate
from robench.results.summary import accuracy, difference, flags, groups, percent, together
from robench.results.words import answer


def html(card: ResultCard) -> str:
    """HTML without scripts and styles of its own; the rows of the tables are folded."""
    twin = card.twin_card
    header = ["", "accuracy, %", *(["difference, points"] if twin else [])]
    title = f"{card.model.name}: {card.suite.name} version {card.suite.version}"
    return "\n".join(
        [
            f"<h4>{escape(title)}</h4>",
            f"<p>{escape(answer(card, twin))}</p>",
            _table(header, _scores(card, twin)),
            "<details><summary>All conditions</summary>",
            _table(header, _rows(card, twin)),
            "</details>",
        ]
    )


def _scores(card: ResultCard, twin: ResultCard | None) -> Iterator[list[str]]:
    if CLEAN in card.suite.conditions:
        clean = together(CLEAN)
        yield ["clean", percent(accuracy(card, clean)), *([_signed(difference(card, twin, clean))] if twin else [])]
    for part in parts(card.suite):
        yield [part, percent(score(card, part)), *([_signed(score_difference(card, twin, part))] if twin else [])]


def _rows(card: ResultCard, twin: ResultCard | None) -> Iterator[list[str]]:
    for group in groups(card.suite):
        name = f"{group.section}: {group.label}{' *' if flags(card, group) else ''}"
        yield [name, percent(accuracy(card, group)), *([_signed(difference(card, twin, group))] if twin else [])]


def _signed(gap: Estimate | str) -> str:
    return percent(gap, signed=True)


def _table(header: list[str], body: Iterator[list[str]]) -> str:
    lines = [_line("th", header), *(_line("td", line) for line in body)]
    return "\n".join(["<table>", *lines, "</table>"])


def _line(tag: str, cells: list[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
