"""robench plot."""

from pathlib import Path
from typing import Annotated

import typer

from robench.cli.app import command, results
from robench.cli.compare import FOLDERS
from robench.core.files import file_name


@command
def plot(
    names: Annotated[list[str], typer.Argument(help="Result cards (.json), or the starts of their names in runs/.")],
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("runs/figures"),
    name: Annotated[str, typer.Option(help="Of the files; the models' by default.")] = "",
) -> None:
    """Draw accuracy against severity, epsilon and level, with intervals, as SVG and PNG."""
    from robench.results import cards
    from robench.results.figures import draw

    found = [cards.read(cards.find(text, FOLDERS)) for text in names]
    title = file_name(name or "-".join(card.model.name for card in found))
    for path in draw(found, out, title):
        results.print(f"wrote {path}", soft_wrap=True)
