"""robench evaluate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robench.cli.app import DataDir, Device, command, messages, results
from robench.core.errors import RobenchError

if TYPE_CHECKING:
    from robench.core.types import ResultCard

BOARDS = Path("leaderboards")


@command
def evaluate(
    model: Annotated[
        list[str], typer.Option(help="twn_resnet20, digits/twn_resnet20, timm:NAME, module:factory or file.py:factory.")
    ],
    suite: Annotated[str, typer.Option(help="A suite's name, or a TOML file.")] = "robench-v1",
    dataset: Annotated[str, typer.Option(help="auto, cifar10, digits, npz:PATH or imagefolder:PATH.")] = "auto",
    data_dir: DataDir = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights for a timm model or a factory's.")] = None,
    twin: Annotated[str, typer.Option(help="A model to compare with, or none; the card's own by default.")] = "auto",
    conditions: Annotated[str, typer.Option(help="Only these, such as 'attack/*' or '*/gaussian'.")] = "*",
    n_images: Annotated[int | None, typer.Option(help="The first N images; the suite's number by default.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images held at once, 1024 (128 large ones) by default; changes no score.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all noise; the suite's by default.")] = None,
    device: Device = "auto",
    gradients: Annotated[
        str, typer.Option(help="Attacks take them in: auto, bfloat16 or float32. Verdicts are always in float32.")
    ] = "auto",
    patient: Annotated[
        bool, typer.Option("--patient", help="Attacks take all their steps, also on images out of their reach.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the result cards.")] = Path("runs"),
    store: Annotated[Path, typer.Option(help="SQLite file of measurements; a stopped run goes on from it.")] = Path(
        "runs/measurements.sqlite"
    ),
    publish: Annotated[bool, typer.Option("--publish", help="Add the cards to ./leaderboards and render it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result cards as JSON, and nothing else.")] = False,
) -> None:
    """Measure models under a suite, each against its full-precision twin."""
    from robench import cards
    from robench.api import Request, open_run
    from robench.cli.progress import run_with_progress
    from robench.cli.tables import result_table

    if publish and (conditions != "*" or not BOARDS.is_dir()):
        raise RobenchError(
            "--publish adds whole suites to ./leaderboards: run it beside that folder, without --conditions."
        )
    request = Request(
        models=tuple(model),
        dataset=dataset,
        suite=suite,
        twin=twin,
        conditions=conditions,
        n_images=n_images,
        seed=seed,
        batch_size=batch_size,
        data_dir=data_dir,
        checkpoint=checkpoint,
        device=device,
        gradients=gradients,
        patient=patient,
        store=store,
    )
    cards.make_folder(out)
    with open_run(request, lambda notice: messages.print(notice, soft_wrap=True)) as run:
        run_with_progress(run.evaluation, messages)
        finished = {subject: run.card(subject) for subject in run.evaluation.subjects}
    for card in finished.values():
        cards.write(card, out)
    if publish:
        _publish(list(finished.values()))
    if as_json:
        data = [cards.to_dict(finished[subject]) for subject in run.requested]
        typer.echo(json.dumps(data if len(data) > 1 else data[0], indent=1))
        return
    for subject in run.requested:
        twin_subject = run.twins.get(subject)
        results.print(result_table(finished[subject], finished[twin_subject] if twin_subject else None))
    results.print(f"Result cards: {out}/   measurements: {store}", soft_wrap=True, highlight=False)


def _publish(finished: "list[ResultCard]") -> None:
    from robench import cards
    from robench.report import leaderboard

    for card in finished:
        cards.write(card, BOARDS / "cards")
    for path in leaderboard.write(BOARDS / "cards", BOARDS):
        messages.print(f"wrote {path}")
