"""robench zoo add, robench zoo quantize, robench zoo verify."""

import shlex
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from robench.cli.app import DataDir, Trust, Zoo, app, command, messages, results
from robench.cli.boards import BOARD
from robench.cli.help import Group
from robench.cli.options import parse_option
from robench.core.errors import RobenchError
from robench.core.types import LARGEST_OPTION

group = typer.Typer(
    name="zoo", cls=Group, help="Add a model to the zoo, or verify the models that are in it.", no_args_is_help=True
)
app.add_typer(group)
zoo_command = partial(command, group=group)
Into = Annotated[
    Path | None, typer.Option("--zoo", help="The folder of the zoo; $ROBENCH_ZOO's first, or ./zoo, by default.")
]


@zoo_command
def add(
    name: Annotated[str, typer.Argument(help="The model's name in the zoo, such as twn_resnet20.")],
    checkpoint: Annotated[str, typer.Option(help="safetensors or torch file, or hf:OWNER/NAME\\[@REVISION]/FILE.")],
    architecture: Annotated[
        str, typer.Option(help="A registered name, timm:NAME, package.module:factory or path/to/file.py:factory.")
    ],
    dataset: Annotated[str, typer.Option(help="The data set it was made for.")] = "cifar10",
    quantizer: Annotated[str, typer.Option(help="How its inner weights were quantized.")] = "fp",
    option: Annotated[list[str], typer.Option(help="Of the architecture, such as width=0.25.")] = [],  # noqa: B006
    bits: Annotated[int, typer.Option(help="Of its low-bit weights, 32 for none; 0 for what is seen in them.")] = 0,
    mean: Annotated[str, typer.Option(help="Normalisation per channel on the [0, 1] scale.")] = "0",
    std: Annotated[str, typer.Option(help="Likewise.")] = "1",
    twin: Annotated[str, typer.Option(help="Its full-precision twin in the zoo.")] = "",
    paper: Annotated[str, typer.Option(help="The source of the method.")] = "",
    training: Annotated[str, typer.Option(help="How it was trained, in words.")] = "",
    into: Into = None,
    data_dir: DataDir = None,
) -> None:
    """Make a folder of the zoo from a checkpoint: checked, packed, measured, with its card."""
    from robench.core.types import ModelCard
    from robench.zoo import add as adding
    from robench.zoo.hub import fetch_checkpoint
    from robench.zoo.load import CODE

    folder = adding.new_folder(_place(into), dataset, name)
    path, source = fetch_checkpoint(checkpoint)
    file, _, factory = architecture.rpartition(":")
    code = Path(file) if file.endswith(".py") else None
    card = ModelCard(
        name=name,
        dataset=dataset,
        architecture=f"{CODE}:{factory}" if code else architecture,
        options=dict(map(_number, option)),
        quantizer=quantizer,
        mean=_numbers(mean, "--mean"),
        std=_numbers(std, "--std"),
        twin=twin,
        paper=paper,
        training={"notes": training} if training else {},
        source=source,
    )
    card = adding.add(card, path, folder, code=code, data_dir=data_dir, bits=bits)
    results.print(f"{name}: {adding.score(card)}; {card.bits} bit, {card.bits_per_weight} bits per weight in all")
    _say_next(folder, trust=bool(code))


@zoo_command
def quantize(
    model: Annotated[str, typer.Argument(help="A model of the zoo, such as cifar10/fp_resnet20.")],
    quantizer: Annotated[str, typer.Argument(help="Such as int8 or w8a8; robench list quantizers has them all.")],
    name: Annotated[str, typer.Option(help="The new model's name; the old one's with the quantizer by default.")] = "",
    into: Into = None,
    data_dir: DataDir = None,
    trust: Trust = False,
) -> None:
    """Make a folder of the zoo from a model of the zoo, quantized after training."""
    from robench import zoo as shipped
    from robench.zoo import add as adding
    from robench.zoo.load import CODE

    dataset, _, short = model.rpartition("/")
    place = _place(into)
    with shipped.in_front(place if place.is_dir() else None):
        loaded = shipped.load(model, dataset or "cifar10", 10, trust=trust)
        source = shipped.find(model, dataset or "cifar10")
    code = source / CODE if source and loaded.card.architecture.startswith(CODE) else None
    folder = adding.new_folder(place, loaded.card.dataset, name or f"{short}_{quantizer}")
    card = adding.add_quantized(loaded, quantizer, folder, data_dir, code)
    results.print(f"{card.name}: {adding.score(card)}; {card.bits} bit, {card.bits_per_weight} bits per weight in all")
    _say_next(folder)


@zoo_command
def verify(
    models: Annotated[list[str] | None, typer.Argument(help="Such as digits/twn_resnet20; all by default.")] = None,
    zoo: Zoo = None,
    data_dir: DataDir = None,
    trust: Trust = False,
) -> None:
    """Check models of the zoos: checksum, architecture, bits, twin, and clean accuracy where the images are here."""
    from robench import zoo as shipped
    from robench.zoo.verify import verify as verify_folder

    roots = shipped.roots()
    if models:
        folders = [shipped.find(model, "") or roots[0] / model for model in models]
    else:
        chosen = [zoo] if zoo else roots
        folders = [path.parent for root in chosen for path in sorted(root.glob("*/*/card.toml"))]
    if not folders:
        raise RobenchError(f"there is no model in {roots[0]}; name the folder with --zoo.")
    table = Table(box=None, pad_edge=False)
    for title in ("model", "", "clean accuracy in its card"):
        table.add_column(title)
    failed, unchecked = 0, 0
    for folder in folders:
        name = f"{folder.parent.name}/{folder.name}"
        messages.print(name)
        found = verify_folder(folder, data_dir, trust=trust)
        failed += bool(found.wrong)
        unchecked += bool(found.unchecked) and not found.wrong
        verdict = "; ".join(found.wrong) or (
            f"ok, accuracy not checked: {found.unchecked}" if found.unchecked else "ok"
        )
        table.add_row(*map(Text, (name, verdict, found.accuracy)))
    results.print(table)
    if unchecked:
        messages.print(f"the accuracy of {unchecked} of {len(folders)} models was not checked.")
    if failed:
        raise RobenchError(f"{failed} of {len(folders)} models failed.")


def _place(into: Path | None) -> Path:
    """The zoo that a new model goes into."""
    from robench.zoo.places import of_variable

    return into or next(iter(of_variable()), Path("zoo"))


def _say_next(folder: Path, *, trust: bool = False) -> None:
    """What to do with a new model; its zoo is named where a name alone would not find it."""
    from robench import zoo

    *_, dataset, name = folder.parts
    known = folder.parents[1].resolve() in [root.resolve() for root in zoo.roots()]
    found = "" if known else f" --zoo {shlex.quote(str(folder.parents[1]))}"
    found += " --trust" if trust else ""
    results.print(
        f"Commit {folder}, and publish it: robench evaluate --model {dataset}/{name}{found} --publish {BOARD}",
        soft_wrap=True,
    )


def _number(text: str) -> tuple[str, int | float]:
    """An option that a card can keep: a number; true and false are 1 and 0."""
    name, value = parse_option(text)
    if isinstance(value, str):
        raise RobenchError(f"--option {name} must be a number, true or false for a model of the zoo, not {value!r}.")
    if not 0 <= value <= LARGEST_OPTION:
        raise RobenchError(f"--option {name} must be from 0 to {LARGEST_OPTION} for a model of the zoo, not {value}.")
    return name, int(value) if isinstance(value, bool) else value


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3) or not all(map(isfinite, numbers)) or (option == "--std" and min(numbers) <= 0):
        raise RobenchError(
            f"{option} takes numbers, one or one a channel, with commas between, such as 0.49,0.48,0.45."
        )
    return numbers
