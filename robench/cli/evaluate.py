"""robench evaluate."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robench.cli.app import (
    Conditions,
    DataDir,
    Device,
    Plugins,
    Trust,
    Zoo,
    command,
    messages,
    patterns,
    results,
    say,
)
from robench.cli.boards import cards_of, check_new
from robench.cli.options import parse_options
from robench.core.errors import RobenchError
from robench.core.files import expanded

if TYPE_CHECKING:
    from robench.core.types import ResultCard, Suite

PANEL = "Models and conditions"
"""The group of options to which --name belongs here, and not in every command."""

LONGEST_NAME = 100
"""Characters of a finder's name."""


@command
def evaluate(
    model: Annotated[
        list[str],
        typer.Option(
            help="twn_resnet20, digits/twn_resnet20, timm:NAME, module:factory, file.py:factory, onnx:FILE, "
            "torchscript:FILE or pt2:FILE."
        ),
    ],
    suite: Annotated[
        str | None, typer.Option(help="A suite's name, or a TOML file.", show_default="robench-v1")
    ] = None,
    attack: Annotated[
        list[str] | None, typer.Option(help="Instead of a suite, an attack, such as pgd@8/255,steps=20 (repeatable).")
    ] = None,
    corruption: Annotated[
        list[str] | None,
        typer.Option(help="Likewise, noise at a severity or an amount, such as gaussian@3 or gaussian@0.1."),
    ] = None,
    distortion: Annotated[
        list[str] | None, typer.Option(help="Likewise, a weight distortion, such as gaussian@0.2,draws=5 or sign.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="Likewise, a memory fault, such as bit_error@1e-3,protection=secded.")
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            help="auto, cifar10, cifar100, mnist, fashion_mnist, digits; your own images: npz:FILE, npy:IMAGES,LABELS, "
            "imagefolder:FOLDER, parquet:FILE_OR_FOLDER, hf:FOLDER (see docs/data.md)."
        ),
    ] = "auto",
    data_dir: DataDir = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="Weights for a timm model or a factory's; for several of these one each, in their order."),
    ] = None,
    twin_checkpoint: Annotated[
        Path | None, typer.Option(help="Weights for the twin; without --twin it is of the model's own architecture.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for a factory's arguments or timm's, such as width=0.5.")
    ] = None,
    num_classes: Annotated[int | None, typer.Option(help="Of a timm model; the data's by default.")] = None,
    bits: Annotated[
        int, typer.Option(help="Of the models' own low-bit weights, 32 for none; 0 for what is seen in them.")
    ] = 0,
    name: Annotated[
        list[str] | None, typer.Option(help="For the card and the tables; one for each --model.", rich_help_panel=PANEL)
    ] = None,
    twin: Annotated[str, typer.Option(help="A model to compare with, or none; the card's own by default.")] = "auto",
    quantize: Annotated[
        str,
        typer.Option(help="Quantize the models after training (int8, int4, w8a8, twn, bwn, ...), each its own twin."),
    ] = "",
    conditions: Conditions = None,
    n_images: Annotated[int | None, typer.Option(help="The first N images; the suite's number by default.")] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Batch size, 1024 (128 for images larger than 64x64) by default; changes no score."),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(min=4, help="Side in pixels that image files are resized and cropped to; else the model's own."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all noise; the suite's by default.")] = None,
    device: Device = "auto",
    gradients: Annotated[
        str,
        typer.Option(help="Precision of attack gradients: auto, bfloat16 or float32. Verdicts are always in float32."),
    ] = "auto",
    all_steps: Annotated[
        bool, typer.Option("--all-steps", help="Disable early stopping: attacks always run all of their steps.")
    ] = False,
    verdicts: Annotated[
        str, typer.Option(help="Who judges each image: torch, or runtime (onnxruntime itself, of an onnx:FILE).")
    ] = "torch",
    out: Annotated[Path, typer.Option(help="Folder for the result cards.")] = Path("runs"),
    store: Annotated[Path, typer.Option(help="SQLite file of measurements; a stopped run goes on from it.")] = Path(
        "runs/measurements.sqlite"
    ),
    witness: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep the adversarial images, and flipped bits: see robench confirm."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(help="Where to measure: local, ray (all cores of this machine), ray:ADDRESS or ray:auto."),
    ] = "local",
    gpus_per_task: Annotated[float, typer.Option(min=0, help="With Ray: GPUs of a worker, such as 0.5.")] = 0.0,
    shard: Annotated[
        str,
        typer.Option(
            metavar="I/N", help="Measure this part alone, into a store of its own; auto in a SLURM job array."
        ),
    ] = "",
    plugin: Plugins = None,
    trust: Trust = False,
    zoo: Zoo = None,
    publish: Annotated[
        Path | None,
        typer.Option(metavar="BOARD", help="Add the cards to a board, such as leaderboards, and render its tables."),
    ] = None,
    finder: Annotated[
        str,
        typer.Option(metavar="NAME", help="Who found it, if an attack of yours breaks a model: stands on the board."),
    ] = "",
    full: Annotated[bool, typer.Option("--full", help="Print every interval, and the twin's own accuracy.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result cards as JSON, and nothing else.")] = False,
) -> None:
    """Measure models under a suite, each against its twin."""
    from robench.cli.progress import run_with_progress
    from robench.measure.cluster import elsewhere
    from robench.measure.run import Request, open_run
    from robench.results import cards

    if not finder.isprintable() or len(finder) > LONGEST_NAME:
        raise RobenchError(f"--finder takes a name in one line, of at most {LONGEST_NAME} characters.")
    if publish:
        check_new(publish)
    if publish and shard:
        raise RobenchError("a shard makes no cards; leave --publish to the run after robench merge.")
    lines = {"corruption": corruption, "attack": attack, "distortion": distortion, "fault": fault}
    request = Request(
        models=tuple(model),
        dataset=dataset,
        suite=_suite(suite, {kind: texts for kind, texts in lines.items() if texts}),
        twin=twin,
        quantize=quantize,
        conditions=patterns(conditions),
        n_images=n_images,
        seed=seed,
        image_size=image_size,
        batch_size=batch_size,
        data_dir=data_dir,
        checkpoints=tuple(expanded(path) for path in checkpoint or ()),
        twin_checkpoint=expanded(twin_checkpoint) if twin_checkpoint else None,
        options=parse_options(option or ()),
        num_classes=num_classes,
        bits=bits,
        names=tuple(name or ()),
        device=device,
        gradients=gradients,
        early_stopping=not all_steps,
        verdicts=verdicts,
        store=store,
        trust=trust,
        witness=witness,
        shard=shard,
    )
    with open_run(request, say) as run:
        if publish:
            _check_publishable(run.suite, publish)
        cards.make_folder(out)
        try:
            run_with_progress(run, messages, elsewhere(run, request, engine, gpus_per_task))
        except BaseException:
            if not as_json:
                with suppress(RobenchError):  # the store may be what failed
                    _print_tables([run.card(model) for model in run.requested], full=full)
            raise
        finished = {model: _found_by(run.card(model), finder) for model in run.models}
    if shard:
        run.check_failures()
        results.print(f"shard {shard}: {len(run.work)} measurements in {run.store.path}", soft_wrap=True)
        say(
            f"when all are there: robench merge {store.parent}/{store.stem}.*-of-* --store {store}, and this command "
            "again without --shard, which writes the cards."
        )
        return
    for card in finished.values():
        cards.write(card, out)
    requested = [finished[model] for model in run.requested]
    if publish:
        run.check_failures()
        _publish(publish, requested, [card for model, card in finished.items() if model not in run.requested])
    if as_json:
        data = [cards.to_dict(card) for card in requested]
        typer.echo(json.dumps(data if len(data) > 1 else data[0], indent=1))
        run.check_failures()
        return
    _print_tables(requested, full=full)
    kept = f"   witnesses: {witness} ({_size(witness)})" if witness else ""
    results.print(f"Result cards: {out}/   measurements: {store}{kept}", soft_wrap=True)
    run.check_failures()


def _found_by(card: "ResultCard", finder: str) -> "ResultCard":
    return replace(card, provenance={**card.provenance, "finder": finder}) if finder else card


def _size(folder: Path) -> str:
    """Of the files in a folder, such as ``1.2 MB``."""
    return f"{sum(path.stat().st_size for path in folder.glob('*.npz')) / 1e6:.1f} MB"


def _suite(name: str | None, lines: dict[str, list[str]]) -> "str | Suite":
    """What is measured: a suite by name, or the conditions that are written in one line each."""
    from robench.suites.one_line import suite_of

    if not lines:
        return name or "robench-v1"
    if name is not None:
        raise RobenchError(f"--{next(iter(lines))} stands for a suite of its own; leave out --suite, or the line.")
    return suite_of(lines, say)


def _check_publishable(suite: "Suite", board: Path) -> None:
    """Raise RobenchError, before anything is measured, where cards of a suite could not go onto a board."""
    from robench.results import leaderboard

    if suite.part:
        raise RobenchError(f"--publish adds whole suites to a board; leave out what changes it ({suite.part}).")
    leaderboard.check_room(cards_of(board), suite)


def _print_tables(requested: "Sequence[ResultCard]", *, full: bool) -> None:
    """The tables of the models that were asked for, as far as they are measured, and what they say in words."""
    from robench.cli.tables import full_table, print_whole, short_tables
    from robench.results.words import answer

    for card in requested:
        if not card.measurements:
            continue
        if full:
            print_whole(results, full_table(card, card.twin_card))
        else:
            results.print(*short_tables(card, card.twin_card), sep="\n")
        results.print(f"\n{answer(card, card.twin_card)}\n")


def _publish(board: Path, requested: "Sequence[ResultCard]", twins: "Sequence[ResultCard]") -> None:
    """Add cards to a board; a twin that is there already, as it is now, keeps its card."""
    from robench.results import cards, leaderboard

    folder = cards_of(board)
    for card in [*requested, *(twin for twin in twins if not cards.is_published(twin, folder))]:
        cards.write(card, folder)
    for path in leaderboard.write(folder, board, lambda reason: say(f"left out: {reason}")):
        say(f"wrote {path}")
