"""robench reproduce."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robench.cli.app import DataDir, Device, command, messages, results, say
from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean

if TYPE_CHECKING:
    from robench.studies.study import Study


@command
def reproduce(
    study: Annotated[
        str, typer.Argument(help="bit-flips, merolla, poster or robustmq; robench list studies tells more.")
    ],
    dataset: Annotated[str, typer.Option(help="cifar10, digits or imagefolder:PATH.")] = "cifar10",
    data_dir: DataDir = None,
    device: Device = "auto",
    n_images: Annotated[int | None, typer.Option(help="The first N images; the suite's number by default.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page, its figures and its cards.")] = Path(
        "leaderboards/studies"
    ),
    runs: Annotated[Path, typer.Option(help="Folder for networks that are trained first.")] = Path("runs"),
    store: Annotated[Path, typer.Option(help="SQLite file of measurements; a stopped run goes on from it.")] = Path(
        "runs/measurements.sqlite"
    ),
    check: Annotated[bool, typer.Option("--check", help="Measure nothing; fail where the page differs.")] = False,
) -> None:
    """Measure a published study again, and write its page: figures, tables, and a verdict on every claim.

    On data for which the zoo has none of a study's networks, those that it has a recipe for are trained first.
    """
    from robench import zoo
    from robench.cli.progress import run_with_progress
    from robench.measure.run import Request, open_run
    from robench.studies import STUDIES
    from robench.studies.files import Files

    if study not in STUDIES:
        raise RobenchError(f"no study is named {study!r}; {did_you_mean(study, list(STUDIES))}")
    chosen = STUDIES[study]
    files = Files(chosen, dataset, out)
    if check:
        files.check()
        results.print(f"{files.page} is what the cards give", soft_wrap=True)
        return
    folders = _networks(chosen, dataset, data_dir, device, runs)
    request = Request(
        tuple(map(zoo.load_folder, folders.values())),
        dataset,
        chosen.suite,
        data_dir=data_dir,
        device=device,
        n_images=n_images,
        store=store,
    )
    with open_run(request, say) as run:
        run_with_progress(run, messages)
        files.keep([run.card(model) for model in run.requested], chosen.facts(run, folders))
    for path in files.render():
        results.print(f"wrote {path}", soft_wrap=True)


def _networks(study: "Study", dataset: str, data_dir: Path | None, device: str, runs: Path) -> Mapping[str, Path]:
    """The folders of the study's models for a data set, by name; trained where the zoo has none."""
    from robench import zoo
    from robench.studies.study import short_name

    folder = runs / short_name(dataset)
    found = {name: place for name in study.models if (place := zoo.find(name, dataset))}
    if study.models[0] in found:
        return found | {name: folder / name for name in study.unshipped if (folder / name / "card.toml").is_file()}
    if not study.recipes:
        raise RobenchError(f"the zoo has no {study.models[0]} for {dataset}, the twin of all; use --dataset cifar10.")
    return {name: _trained(name, dataset, folder / name, data_dir, device) for name in study.recipes}


def _trained(name: str, dataset: str, folder: Path, data_dir: Path | None, device: str) -> Path:
    from robench.cli.progress import train_with_progress
    from robench.data.load import load as load_data
    from robench.engine.prepare import choose_device
    from robench.training.export import export, start
    from robench.training.recipe import load_recipe

    data = load_data(dataset, "train", data_dir)
    recipe = load_recipe(f"cifar10/{name}").for_data(dataset, data)
    trainer = start(recipe, data, folder, choose_device(device))
    train_with_progress(trainer, folder / "log.jsonl", messages)
    export(trainer, folder, data_dir)
    return folder
