"""robench site."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from robench.cli.app import command, messages, results, say
from robench.cli.boards import BOARD, cards_of
from robench.core.errors import RobenchError


@command
def site(
    board: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The board whose cards and studies the site shows.")
    ] = BOARD,
    cards: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of result cards; those of the board by default.")
    ] = None,
    studies: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the pages of reproduced studies; the board's by default."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the site; files in it are replaced.")] = Path(
        "site"
    ),
) -> None:
    """Make a web site of the result cards: tables, curves, a page for each model, comparisons.

    Open site/index.html in a browser, or put the folder on any web server: it needs no program there and no network.
    """
    from robench.site.build import write_site

    cards, studies = cards or cards_of(board), studies or board / "studies"
    left_out: list[str] = []
    with Progress(console=messages, transient=True) as shown:
        task = shown.add_task("reading cards", total=None)
        first = write_site(
            cards,
            out,
            studies,
            left_out.append,
            lambda done, total: shown.update(task, description="computing", completed=done, total=total),
        )
    results.print(f"wrote {first}", soft_wrap=True)
    for reason in left_out:
        say(f"left out: {reason}")
    if left_out:
        raise RobenchError(f"{len(left_out)} of the cards in {cards} are left out; see above.")
    if not any(cards.glob("*.json")):
        say(f"there are no result cards in {cards} yet; make some with: robench evaluate --publish {board}")
