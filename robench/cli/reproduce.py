"""robench reproduce."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robench.cli.app import DataDir, Device, command, messages, results
from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean

if TYPE_CHECKING:
    from robench.core.types import ResultCard


@command
def reproduce(
    study: Annotated[str, typer.Argument(help="poster.")],
    dataset: Annotated[str, typer.Option(help="cifar10, digits, npz:PATH or imagefolder:PATH.")] = "cifar10",
    data_dir: DataDir = None,
    device: Device = "auto",
    n_images: Annotated[int | None, typer.Option(help="The first N images; the suite's number by default.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page and its cards.")] = Path("leaderboards/studies"),
    store: Annotated[Path, typer.Option(help="SQLite file of measurements; a stopped run goes on from it.")] = Path(
        "runs/measurements.sqlite"
    ),
    check: Annotated[bool, typer.Option("--check", help="Measure nothing; fail where the page differs.")] = False,
) -> None:
    """Measure a published study again, and write its page: the tables, and a verdict on every claim."""
    from robench import cards, zoo
    from robench.api import Request, open_run
    from robench.cli.progress import run_with_progress
    from robench.studies import poster

    studies = {"poster": poster}
    if study not in studies:
        raise RobenchError(f"no study is named {study!r}; {did_you_mean(study, list(studies))}")
    chosen = studies[study]
    path, facts_path = out / f"{chosen.SUITE}.md", out / f"{chosen.SUITE}.json"
    if not check:
        models = tuple(name for name in chosen.MODELS if zoo.find(name, dataset))
        request = Request(
            models, dataset, chosen.SUITE, data_dir=data_dir, device=device, n_images=n_images, store=store
        )
        with open_run(request, lambda notice: messages.print(notice, soft_wrap=True)) as run:
            run_with_progress(run.evaluation, messages)
            for subject in run.requested:
                cards.write(run.card(subject), out / "cards")
            measured = chosen.facts(run.evaluation.data.images)
        facts_path.write_text(json.dumps(measured, indent=1) + "\n")
    found = _cards(out / "cards", chosen.SUITE, chosen.MODELS)
    text = chosen.page(found, json.loads(facts_path.read_text()))
    if check and (not path.is_file() or path.read_text() != text):
        raise RobenchError(f"{path} differs from its cards; run: robench reproduce {study}")
    path.write_text(text)
    results.print(f"{path} is what the cards give" if check else f"wrote {path}", soft_wrap=True, highlight=False)


def _cards(folder: Path, suite: str, models: tuple[str, ...]) -> "list[ResultCard]":
    """The cards of a study in the order of its models; the first is the twin of all."""
    from robench import cards

    found = {card.model.name: card for card in map(cards.read, sorted(folder.glob(f"*.{suite}.json")))}
    if models[0] not in found:
        raise RobenchError(f"there is no card of {models[0]} in {folder}; run the study without --check.")
    return [found[name] for name in models if name in found]
