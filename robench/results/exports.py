"""Tables of papers as LaTeX, CSV, markdown and JSON: the same numbers in each, with what they are of in a comment.

What a card says is data in all of them: no markup, no command, no formula of a spreadsheet.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable
from typing import Any

from robench.core.types import ResultCard
from robench.results import markdown
from robench.results.stats import Estimate
from robench.results.summary import NOT_APPLICABLE, percent
from robench.results.tables import BOLD, Cell, PaperTable, fact_text

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "—": "---",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
"""What stands for signs that LaTeX takes for its own; a bracket or star after a line break would be its argument."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that spreadsheets compute."""


def comments(table: PaperTable, *, intervals: bool = True) -> list[str]:
    """Which suite, data and measurements the numbers of a table are of, and how it is read: one line each."""
    suite, data = table.cards[0].suite, table.cards[0].data
    part = f", part {suite.part}" if suite.part else ""
    lines = [
        f"suite {suite.name} version {suite.version}{part}, seed {suite.seed}",
        f"data {data.name} ({data.source}), {data.n} images, fingerprint {data.fingerprint}",
        *(_measured(card) for card in table.cards),
        f"Top-1 accuracy in percent{', 95% intervals' if intervals else ''}; differences to the twin in points.",
        BOLD,
    ]
    return [_one_line(line) for line in lines]


def latex(table: PaperTable, *, intervals: bool = True, differences: bool = True) -> str:
    """A ``tabular`` for the package booktabs; differences stand on lines of their own below the accuracies."""
    names = ["model", *table.facts, *table.columns]
    lines = [f"% {line}" for line in [r"\usepackage{booktabs}", *comments(table, intervals=intervals)]]
    lines += [
        rf"\begin{{tabular}}{{l{'l' * len(table.facts)}{'r' * len(table.columns)}}}",
        r"\toprule",
        _row(map(latex_text, names)),
        r"\midrule",
    ]
    for place, card in enumerate(table.cards):
        texts = [card.model.name, *_facts(table, place)]
        cells = [column[place] for column in table.columns.values()]
        lines.append(_row([*map(latex_text, texts), *(_latex_value(cell, intervals=intervals) for cell in cells)]))
        if differences and any(isinstance(cell.gap, Estimate) for cell in cells):
            gaps = [_latex_number(cell.gap, signed=True, intervals=intervals) for cell in cells]
            lines.append(_row([r"\quad difference", *[""] * len(table.facts), *gaps]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def csv_text(table: PaperTable, *, intervals: bool = True, differences: bool = True) -> str:
    """Lines of ``#`` with comments, a line of names, a line a model; sizes are in bytes."""
    records = [_record(table, place, intervals=intervals, differences=differences) for place in range(len(table.cards))]
    buffer = io.StringIO()
    buffer.writelines(f"# {line}\n" for line in comments(table, intervals=intervals))
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows(map(_cell, line) for line in (records[0], *(record.values() for record in records)))
    return buffer.getvalue()


def markdown_text(table: PaperTable, *, intervals: bool = True, differences: bool = True) -> str:
    """A markdown table below an HTML comment."""
    told = "\n".join(line.replace(">", "&gt;") for line in comments(table, intervals=intervals))
    header = [markdown.plain(name) for name in ("model", *table.facts, *table.columns)]
    body = [
        [
            *map(markdown.plain, (card.model.name, *_facts(table, place))),
            *(
                _markdown_cell(column[place], intervals=intervals, differences=differences)
                for column in table.columns.values()
            ),
        ]
        for place, card in enumerate(table.cards)
    ]
    return f"<!--\n{told}\n-->\n\n{markdown.table(header, body)}"


def json_text(table: PaperTable, *, intervals: bool = True, differences: bool = True) -> str:
    """An object with ``comments`` and ``rows``; numbers in percent and points, null where there is none."""
    rows = [_record(table, place, intervals=intervals, differences=differences) for place in range(len(table.cards))]
    numbers = [{name: None if value == "" else value for name, value in row.items()} for row in rows]
    found = {"comments": comments(table, intervals=intervals), "rows": numbers}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


FORMATS = {"latex": latex, "csv": csv_text, "markdown": markdown_text, "json": json_text}


def latex_text(text: str) -> str:
    """Text as LaTeX that shows it, and is nothing else; what its usual encoding has no sign for becomes ``?``."""
    return "".join(LATEX.get(sign) or _ascii(sign) for sign in _one_line(text))


def _ascii(sign: str) -> str:
    if sign.isascii():
        return sign
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or "?"


def _one_line(text: str) -> str:
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _measured(card: ResultCard) -> str:
    told = (f"{name} {card.provenance[name]}" for name in ("robench", "commit", "created") if name in card.provenance)
    return ", ".join([f"model {card.model.name}, sha256 {card.model.sha256}", *told])


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _facts(table: PaperTable, place: int) -> list[str]:
    return [fact_text(name, values[place]) for name, values in table.facts.items()]


def _latex_value(cell: Cell, *, intervals: bool) -> str:
    return _latex_number(cell.value, intervals=intervals, bold=cell.bold)


def _latex_number(value: Estimate | str, *, intervals: bool, signed: bool = False, bold: bool = False) -> str:
    number, _, interval = percent(value, signed=signed).partition(" ")
    if isinstance(value, str):
        return latex_text(value)
    shown = rf"\textbf{{{number}}}" if bold else f"${number}$"
    return rf"{shown} {{\scriptsize ${interval}$}}" if intervals else shown


def _markdown_cell(cell: Cell, *, intervals: bool, differences: bool) -> str:
    number, _, interval = percent(cell.value).partition(" ")
    shown = f"**{number}**" if cell.bold else number
    if intervals and interval:
        shown += f" {interval}"
    if not differences or not isinstance(cell.gap, Estimate):
        return shown
    gap = percent(cell.gap, signed=True)
    return f"{shown}<br>{gap if intervals else gap.partition(' ')[0]}"


def _record(table: PaperTable, place: int, *, intervals: bool, differences: bool) -> dict[str, Any]:
    """A line of a table by the name of its column; a number that was not measured is empty."""
    found: dict[str, Any] = {"model": table.cards[place].model.name}
    found |= {name: values[place] for name, values in table.facts.items()}
    for name, column in table.columns.items():
        cell = column[place]
        found |= _numbers(name, cell.value, intervals=intervals)
        if differences:
            found |= _numbers(f"{name}, difference", cell.gap, intervals=intervals)
        found[f"{name}, bold"] = cell.bold
    return found


def _numbers(name: str, value: Estimate | str, *, intervals: bool) -> dict[str, float | str]:
    names = [name, *((f"{name}, low", f"{name}, high") if intervals else ())]
    if isinstance(value, str):
        return {**dict.fromkeys(names, ""), name: value if value == NOT_APPLICABLE else ""}
    return dict(zip(names, (round(100 * x, 1) + 0.0 for x in (value.value, value.low, value.high)), strict=False))


def _cell(value: Any) -> Any:
    """A cell of a CSV file; an apostrophe before what a spreadsheet would compute."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
