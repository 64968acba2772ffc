"""Boards: folders with ``cards/``, the tables of each suite, ``figures/`` and ``studies/``."""

from pathlib import Path
from typing import Annotated

import typer

from robench.core.errors import RobenchError
from robench.core.files import exists, short

RUNS, BOARD = Path("runs"), Path("leaderboards")
Board = Annotated[
    Path | None,
    typer.Option(
        "--board", metavar="FOLDER", help="A board whose cards are meant, instead of runs/ and leaderboards/."
    ),
]


def cards_of(board: Path) -> Path:
    """Where the cards of a board are."""
    return board / "cards"


def folders(board: Path | None) -> tuple[Path, ...]:
    """The folders in which a card is looked for: those of a board, or what was measured here and the board beside it.

    Raises:
        RobenchError: the board that was named is none.
    """
    if board is None:
        return RUNS, cards_of(BOARD)
    if not exists(cards_of(board), Path.is_dir):
        raise RobenchError(f"{short(board)} is no board: it has no folder cards; robench evaluate --publish makes one.")
    return (cards_of(board),)


def find_result(name: str, board: Path | None) -> Path:
    """The result card that a path or the start of its name means; in runs/ the newest of several.

    Raises:
        RobenchError: there is none, or several.
    """
    from robench.results import cards

    return cards.find(name, folders(board), newest=board is None)


def check_new(board: Path) -> None:
    """Raise RobenchError where a folder is no place for a board, old or new."""
    if str(board).startswith("-"):
        raise RobenchError(f"--publish takes the folder of a board, such as --publish {BOARD}, not {short(board)}.")
    if not exists(board, Path.is_dir) and not exists(board.absolute().parent, Path.is_dir):
        raise RobenchError(f"there is no folder {short(board.parent)} for a new board; make it, or correct --publish.")
    if exists(board, Path.exists) and not board.is_dir():
        raise RobenchError(f"{board} is no folder; --publish takes the folder of a board.")
