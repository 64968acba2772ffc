"""robench show."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from robench.cli.app import Zoo, command, results
from robench.cli.boards import Board, find_result, folders

if TYPE_CHECKING:
    from robench.core.types import ModelCard, ResultCard


@command
def show(
    model: Annotated[str, typer.Argument(help="A model's name; digits/NAME for one of another data set.")],
    zoo: Zoo = None,
    board: Board = None,
) -> None:
    """Show what a model is, and what was measured of it."""
    from robench.zoo import names

    card = _card(model, board)
    results.print(Text(f"{card.name}{f', for {card.dataset}' if card.dataset else ''}", style="bold"))
    results.print(_facts(card))
    places = folders(board)
    found = list(_results(card, places))
    for path, result, twin in found:
        _print_result(path, result, twin)
    full = f"{card.dataset}/{card.name}" if card.name in names().get(card.dataset, []) else model
    if not found:
        results.print(f"\nNo results are in {' or '.join(map(str, places))}.", soft_wrap=True)
    own = f" --zoo {shlex.quote(str(zoo))}" if zoo else ""
    results.print(f"\nMeasure it{' again' if found else ''}: robench evaluate --model {full}{own}", soft_wrap=True)
    others = [name for name, models in names().items() if card.name in models and name != card.dataset]
    if others and full != model.strip("/"):
        results.print(f"Also for {', '.join(others)}: robench show {others[0]}/{card.name}{own}", soft_wrap=True)


def _card(model: str, board: "Path | None") -> "ModelCard":
    """The card of a model, or what a result card says of one that only its name is known of."""
    from robench.core.errors import RobenchError
    from robench.results import cards

    try:
        return find_card(model)
    except RobenchError:
        try:
            return cards.read(find_result(model, board)).model
        except RobenchError:
            pass
        raise


def find_card(model: str) -> "ModelCard":
    """The card of a model by name, that of the first data set of which the zoo has it.

    Raises:
        RobenchError: there is no such model.
    """
    from robench import zoo

    sets = [name for name, models in zoo.names().items() if model in models]
    folder = zoo.find(model, sets[0] if sets else "cifar10")
    return zoo.read_card(folder) if folder else zoo.load(model, "cifar10", 10).card


def _facts(card: "ModelCard") -> Table:
    """What a card says of a model, in words; what it does not say has no line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(card):
        if text:
            table.add_row(name, Text(text))
    return table


def _lines(card: "ModelCard") -> Iterator[tuple[str, str]]:
    from robench.results.summary import VARIANTS

    options = ", ".join(f"{name} {value:g}" for name, value in card.options.items())
    yield "architecture", f"{card.architecture}{f' ({options})' if options else ''}, {card.num_classes} classes"
    precision = "in full precision" if card.bits == 32 else f"{card.bits} bit"
    yield "weights", f"{card.weights:,}, {precision}" if card.weights else precision
    yield "quantizer", VARIANTS.get(card.quantizer, card.quantizer) if card.quantizer != "fp" else ""
    yield "size", f"{card.stored_bytes / 1000:,.0f} kB, {card.bits_per_weight:g} bits per weight in all"
    test = card.test
    if test:
        share = f"{test['correct'] / test['total']:.2%}"
        yield "as shipped", f"{share} right without noise, {test['correct']:,} of {test['total']:,} of {test['source']}"
    yield "twin", card.twin
    yield "paper", card.paper
    yield "training", ", ".join(f"{k.replace('_', ' ')} {_value(v)}" for k, v in card.training.items() if v != "")
    yield "source", card.source
    yield "sha256", card.sha256


def _value(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _results(card: "ModelCard", places: "Sequence[Path]") -> "Iterator[tuple[Path, ResultCard, ResultCard | None]]":
    """Result cards of a model, with the twin's; those that cannot be read are passed over.

    Of the zoo's they are those of the same weights; what else was measured goes by its name.
    """
    from robench.core.errors import RobenchError
    from robench.core.files import file_name
    from robench.results import cards, twins

    for path in sorted(path for folder in places for path in folder.glob("*.json")):
        if path.name.startswith(f"{file_name(card.name)}."):
            try:
                found = cards.read(path)
            except RobenchError:
                continue
            if found.model.sha256 == card.sha256 or (not card.test and found.model.name == card.name):
                yield path, found, twins.beside(found, path.parent)


def _print_result(path: "Path", card: "ResultCard", twin: "ResultCard | None") -> None:
    from robench.cli.tables import score_table
    from robench.results.words import answer

    date = card.provenance.get("created", "")[:10]
    heading = f"{card.suite.name} version {card.suite.version}, {card.data.n:,} images of {card.data.name}"
    results.print(Text(f"\n{heading}{f', {date}' if date else ''}", style="bold cyan"))
    results.print(Text(str(path), style="dim"), soft_wrap=True)
    results.print(Padding(score_table(card, twin), (0, 0, 1, 0)))
    results.print(answer(card, twin))
