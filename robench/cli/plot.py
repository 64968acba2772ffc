"""robench plot."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robench.cli.app import Conditions, command, patterns, results
from robench.cli.boards import Board, find_result
from robench.core.files import file_name

if TYPE_CHECKING:
    from robench.core.types import ResultCard


class Picture(StrEnum):
    """A format of figures."""

    svg = "svg"
    png = "png"
    pdf = "pdf"


class Width(StrEnum):
    """Columns of a page of two columns."""

    one = "one"
    two = "two"


@command
def plot(
    names: Annotated[list[str], typer.Argument(help="Result cards (.json), or the starts of their names in runs/.")],
    twins: Annotated[bool, typer.Option("--twins/--no-twins", help="Draw each model's twin beside it.")] = True,
    conditions: Conditions = None,
    board: Board = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("runs/figures"),
    name: Annotated[str, typer.Option(help="Of the files; the models' by default.")] = "",
    width: Annotated[
        Width | None,
        typer.Option(help="For print: one or two, columns of a paper (3.4 or 7 inches); else for the screen."),
    ] = None,
    formats: Annotated[
        list[Picture] | None,
        typer.Option("--format", help="svg, png or pdf (repeatable).", show_default="svg and png"),
    ] = None,
) -> None:
    """Draw accuracy against severity, epsilon and level, with intervals, beside the twin's."""
    from robench.results import cards
    from robench.results.drawing import FORMATS
    from robench.results.figures import PAPER, SCREEN, draw

    read = {path: cards.read(path) for path in dict.fromkeys(find_result(text, board) for text in names)}
    title = file_name(name or "-".join(card.model.name for card in read.values()))
    shown = _with_twins(read) if twins else list(read.values())
    layout = PAPER[width] if width else SCREEN
    for path in draw(shown, out, title, layout, formats or FORMATS, patterns(conditions)):
        results.print(f"wrote {path}", soft_wrap=True)


def _with_twins(read: "Mapping[Path, ResultCard]") -> "list[ResultCard]":
    """The cards in their order, and behind a model its twin, unless that is among them or there is no card of it."""
    from robench.results import twins

    shown: list[ResultCard] = []
    for path, card in read.items():
        shown.append(card)
        if twins.among(card, [*read.values(), *shown]) is None and (twin := twins.beside(card, path.parent)):
            shown.append(twin)
    return shown
