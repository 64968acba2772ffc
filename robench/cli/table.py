"""robench table."""

from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from robench.cli.app import command, results
from robench.cli.boards import Board, find_result
from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.registry import did_you_mean


class Format(StrEnum):
    """How a table is written."""

    latex = "latex"
    csv = "csv"
    markdown = "markdown"
    json = "json"


@command
def table(
    cards: Annotated[list[str], typer.Argument(help="Result cards (.json), or the starts of their names in runs/.")],
    form: Annotated[Format, typer.Option("--format", help="latex (with booktabs), csv, markdown or json.")] = (
        Format.markdown
    ),
    rows: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Only these models, in this order; patterns such as 'twn*' are allowed."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="bits, size, twin, clean, a score (noise, attacks, weights, memory), a row of the boards such as "
            "'pgd (20) 1/255', a condition such as attack/pgd, or a pattern; give it once for each.",
        ),
    ] = None,
    board: Board = None,
    intervals: Annotated[bool, typer.Option(help="With 95% intervals.")] = True,
    differences: Annotated[bool, typer.Option(help="With the difference to each model's twin.")] = True,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File for the table; the terminal by default.")
    ] = None,
) -> None:
    """Make a table for a paper from result cards, one line a model.

    Bold is the highest accuracy of a column, and what a paired test cannot tell from it.
    """
    from robench.core.files import write_text
    from robench.results import cards as files
    from robench.results import twins
    from robench.results.exports import FORMATS
    from robench.results.tables import paper_table

    paths = [find_result(name, board) for name in cards]
    read = {path: files.read(path) for path in dict.fromkeys(paths)}
    chosen = _rows({path: card.model.name for path, card in read.items()}, rows)
    found = [read[path] for path in chosen]
    others = [twins.among(read[path], read.values()) or twins.beside(read[path], path.parent) for path in chosen]
    text = FORMATS[form](paper_table(found, others, columns or ()), intervals=intervals, differences=differences)
    if out:
        write_text(out, text)
        results.print(f"wrote {out}", soft_wrap=True)
    else:
        typer.echo(text, nl=False)


def _rows(names: dict[Path, str], rows: list[str] | None) -> list[Path]:
    """The cards whose models' names match, in the order of what they match."""
    chosen: dict[Path, None] = {}
    for pattern in rows or ["*"]:
        found = [path for path, name in names.items() if name == pattern or fnmatchcase(name, pattern)]
        if not found:
            raise RobenchError(
                f"no card is of a model {short(repr(pattern))}; {did_you_mean(pattern, sorted(set(names.values())))}"
            )
        chosen |= dict.fromkeys(found)
    return list(chosen)
