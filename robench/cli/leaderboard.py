"""robench leaderboard."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from robench.cli.app import command, results, say
from robench.cli.boards import BOARD, cards_of
from robench.core.errors import RobenchError


@command
def leaderboard(
    board: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The board: its cards are in FOLDER/cards, its tables in FOLDER.")
    ] = BOARD,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the files differ.")] = False,
) -> None:
    """Render the tables of a board from its result cards, one markdown file for each suite."""
    from robench.results import leaderboard as boards

    cards, again = cards_of(board), "" if board == BOARD else f" --board {shlex.quote(str(board))}"
    left_out: list[str] = []
    if check:
        if stale := boards.stale(cards, board, left_out.append):
            raise RobenchError(f"{', '.join(stale)} in {board} differ from the cards; run: robench leaderboard{again}")
    else:
        for path in boards.write(cards, board, left_out.append):
            results.print(f"wrote {path}", soft_wrap=True)
    for reason in left_out:
        say(f"left out: {reason}")
    if left_out:
        raise RobenchError(f"{len(left_out)} of the cards in {cards} are left out; see above.")
    if check:
        results.print("the leaderboards are what the cards give")
