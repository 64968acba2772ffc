"""robench list."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from robench.cli.app import Plugins, Zoo, command, results
from robench.core.errors import RobenchError


class What(StrEnum):
    """What can be listed."""

    models = "models"
    architectures = "architectures"
    quantizers = "quantizers"
    corruptions = "corruptions"
    attacks = "attacks"
    distortions = "distortions"
    faults = "faults"
    datasets = "datasets"
    suites = "suites"
    recipes = "recipes"
    studies = "studies"


@command
def list_(
    what: Annotated[What, typer.Argument(help=f"{', '.join(What)}.")], plugin: Plugins = None, zoo: Zoo = None
) -> None:
    """List what robench knows, each with what it is; of models also the zoo that they are from."""
    if zoo and what is not What.models:
        raise RobenchError("--zoo goes with: robench list models.")
    table = Table(box=None, pad_edge=False)
    table.add_column(what.value, style="bold", no_wrap=True)
    table.add_column("")
    if what is What.models:
        table.add_column("zoo", overflow="fold")
    for row in LISTS[what]():
        table.add_row(*row)
    results.print(table)


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _models() -> list[tuple[str, str, str]]:
    from robench import zoo

    found = []
    for dataset, models in zoo.folders().items():
        for model, folder in models.items():
            card = zoo.read_card(folder)
            size = f"{card.stored_bytes / 1000:.0f} kB"
            place = "shipped" if folder.parents[1] == zoo.root() else str(folder.parents[1])
            found.append((f"{dataset}/{model}", f"{card.architecture}, {card.bits} bit, {size}. {card.paper}", place))
    return found


def _architectures() -> list[tuple[str, str]]:
    from robench.architectures import ARCHITECTURES

    return [(name, _first_line(ARCHITECTURES[name])) for name in ARCHITECTURES]


def _quantizers() -> list[tuple[str, str]]:
    from robench.quantizers import QUANTIZERS

    return [(name, _first_line(QUANTIZERS[name])) for name in QUANTIZERS]


def _corruptions() -> list[tuple[str, str]]:
    from robench.corruptions import CORRUPTIONS

    def severities(name: str) -> str:
        numbers = [f"{amount:g}" for amount in CORRUPTIONS[name].amounts if not isinstance(amount, tuple)]
        return f" Severities: {', '.join(numbers)}." if numbers else ""

    return [(name, f"{_first_line(CORRUPTIONS[name].function)}{severities(name)}") for name in CORRUPTIONS]


def _attacks() -> list[tuple[str, str]]:
    from robench.attacks import ATTACKS

    return [(name, _first_line(ATTACKS[name].function)) for name in ATTACKS]


def _distortions() -> list[tuple[str, str]]:
    from robench.distortions import DISTORTIONS

    return [(name, _first_line(DISTORTIONS[name].function)) for name in DISTORTIONS]


def _faults() -> list[tuple[str, str]]:
    from robench.faults import FAULTS

    return [(name, f"{_first_line(FAULTS[name].function)} Level: {FAULTS[name].level.name}.") for name in FAULTS]


def _datasets() -> list[tuple[str, str]]:
    from robench.data import DATASETS

    return [(name, _first_line(DATASETS[name])) for name in DATASETS]


def _suites() -> list[tuple[str, str]]:
    from robench import suites

    found = [suites.load(name) for name in suites.names()]
    return [(s.name, f"version {s.version}, {len(s.conditions)} conditions, {s.n_images} images") for s in found]


def _recipes() -> list[tuple[str, str]]:
    from robench.training.recipe import RECIPES, load_recipe

    names = sorted(str(path.relative_to(RECIPES).with_suffix("")) for path in RECIPES.rglob("*.toml"))
    found = [(name, load_recipe(name)) for name in names]
    return [(name, f"{r.architecture}, {r.quantizer}, {r.epochs} epochs. {r.paper}") for name, r in found]


def _studies() -> list[tuple[str, str]]:
    from robench.studies import STUDIES

    return [(name, f"robench reproduce {name}: {len(study.models)} models") for name, study in STUDIES.items()]


LISTS: Mapping[What, Callable[[], Sequence[tuple[str, ...]]]] = {
    What.models: _models,
    What.architectures: _architectures,
    What.quantizers: _quantizers,
    What.corruptions: _corruptions,
    What.attacks: _attacks,
    What.distortions: _distortions,
    What.faults: _faults,
    What.datasets: _datasets,
    What.suites: _suites,
    What.recipes: _recipes,
    What.studies: _studies,
}
