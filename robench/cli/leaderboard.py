"""robench leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from robench.cli.app import command, results, say
from robench.core.errors import RobenchError


@command
def leaderboard(
    cards: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of result cards.")] = Path("leaderboards/cards"),
    out: Annotated[Path, typer.Option(help="Folder for the markdown files.")] = Path("leaderboards"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the files differ.")] = False,
) -> None:
    """Render the leaderboards from the result cards."""
    from robench.results import leaderboard as boards

    left_out: list[str] = []
    if check:
        if stale := boards.stale(cards, out, left_out.append):
            raise RobenchError(f"{', '.join(stale)} in {out} differ from the cards; run: robench leaderboard")
    else:
        for path in boards.write(cards, out, left_out.append):
            results.print(f"wrote {path}", soft_wrap=True)
    for reason in left_out:
        say(f"left out: {reason}")
    if left_out:
        raise RobenchError(f"{len(left_out)} of the cards in {cards} are left out; see above.")
    if check:
        results.print("the leaderboards are what the cards give")
