"""robench compare."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from robench.cli.app import command, results
from robench.cli.boards import Board, find_result, folders

if TYPE_CHECKING:
    from robench.core.types import ResultCard
    from robench.results.compare import Row


@command
def compare(
    first: Annotated[str, typer.Argument(help="A result card (.json), or the start of its name in runs/.")],
    second: Annotated[str, typer.Argument(help="Likewise; differences are first minus second.")],
    board: Board = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")] = False,
) -> None:
    """Compare two models condition by condition, paired by image, with Holm's correction over the conditions."""
    from robench.results import cards
    from robench.results.compare import compare as compare_cards

    if board is None:
        pair = cards.find_pair(first, second, folders(board))
    else:
        pair = (cards.read(find_result(first, board)), cards.read(find_result(second, board)))
    rows = compare_cards(*pair)
    if as_json:
        results.print_json(json.dumps([asdict(row) for row in rows]))
        return
    results.print(_table(rows, *pair))


def _table(rows: "list[Row]", first: "ResultCard", second: "ResultCard") -> Table:
    from robench.results.summary import percent

    names = first.model.name, second.model.name
    table = Table(
        title=f"{names[0]} against {names[1]} on {first.data.n} images of {first.data.name}, {first.suite.name}",
        caption="Top-1 accuracy in percent, differences in points, 95% intervals. p: exact McNemar for one condition, "
        "bootstrap over images (and draws) for several. Holm: p adjusted for all rows.",
    )
    for title in ("condition", *names, "difference", "p", "Holm"):
        table.add_column(title, justify="left" if title == "condition" else "right")
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            table.add_section()
            table.add_row(Text(section, style="bold cyan"))
        table.add_row(
            row.condition,
            percent(row.first),
            percent(row.second),
            percent(row.difference, signed=True),
            f"{row.p:.2g}",
            f"{row.p_holm:.2g}",
            style="bold" if row.p_holm < 0.05 else "",
        )
    return table
