"""robench leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from robench.cli.app import command, results
from robench.core.errors import RobenchError


@command
def leaderboard(
    cards: Annotated[Path, typer.Option(help="Folder of result cards.")] = Path("leaderboards/cards"),
    out: Annotated[Path, typer.Option(help="Folder for the markdown files.")] = Path("leaderboards"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the files differ.")] = False,
) -> None:
    """Render the leaderboards from the result cards."""
    from robench.results import leaderboard as boards

    if not check:
        for path in boards.write(cards, out):
            results.print(f"wrote {path}")
        return
    stale = boards.stale(cards, out)
    if stale:
        raise RobenchError(f"{', '.join(stale)} in {out} differ from the cards; run: robench leaderboard")
    results.print("the leaderboards are what the cards give")
