"""robench merge, robench plan."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from robench.cli.app import DataDir, Device, Trust, Zoo, command, results, say
from robench.core.errors import RobenchError

WORKERS = (1, 8, 64)


@command
def merge(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE", help="Of robench evaluate --shard.")],
    store: Annotated[Path, typer.Option(help="The store that gets everything.")] = Path("runs/measurements.sqlite"),
) -> None:
    """Make one store of those that several machines wrote; refuse what belongs to different evaluations."""
    from robench.measure.shards import merge as merge_stores

    merged = merge_stores(stores, store)
    results.print(f"{store} has {merged.measurements:,} measurements", soft_wrap=True)
    if merged.missing:
        raise RobenchError(f"shards are missing: {', '.join(map(str, merged.missing))}; merge theirs as well.")


@command
def plan(
    model: Annotated[str, typer.Argument(help="As for robench evaluate --model.")],
    suite: Annotated[str, typer.Argument(help="A suite's name, or a TOML file.")] = "robench-v1",
    dataset: Annotated[str, typer.Option(help="As for robench evaluate.")] = "auto",
    n_images: Annotated[int | None, typer.Option(help="The first N images; the suite's number by default.")] = None,
    twin: Annotated[str, typer.Option(help="A model to compare with, or none; the card's own by default.")] = "auto",
    checkpoint: Annotated[Path | None, typer.Option(help="Weights for a timm model or a factory.")] = None,
    sample: Annotated[
        int, typer.Option(min=8, help="Images of the first sample; the second has three times more.")
    ] = 64,
    data_dir: DataDir = None,
    device: Device = "auto",
    zoo: Zoo = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON, and nothing else.")] = False,
) -> None:
    """Say what an evaluation is going to take, by a sample: passes, seconds a pass, hours on 1, 8 and 64 workers."""
    from robench.measure.estimate import by_section, estimate, hours
    from robench.measure.request import Request

    request = Request(
        models=(model,),
        suite=suite,
        dataset=dataset,
        n_images=n_images,
        twin=twin,
        checkpoints=(checkpoint,) if checkpoint else (),
        data_dir=data_dir,
        device=device,
        trust=trust,
    )
    costs = estimate(request, sample)
    rows = list(by_section(costs))
    if as_json:
        data = {
            "passes": sum(cost.passes for cost in costs),
            "seconds": sum(cost.seconds for cost in costs),
            "hours": {str(workers): hours(costs, workers) for workers in WORKERS},
            "sections": {section: sum(cost.seconds for cost in own) for section, own in rows},
        }
        results.print_json(json.dumps(data))
        return
    names = list(dict.fromkeys(cost.model for cost in costs))
    table = Table(title=f"{' and '.join(names)}, {suite}")
    for heading in ("", "measurements", "forward passes", "ms a pass", "seconds"):
        table.add_column(heading, justify="right" if heading else "left")
    for section, own in [*rows, ("all", costs)]:
        passes, seconds = sum(cost.passes for cost in own), sum(cost.seconds for cost in own)
        count = sum(cost.condition.draws for cost in own)
        table.add_row(section, f"{count:,}", f"{passes:,}", f"{1000 * seconds / max(passes, 1):.3f}", f"{seconds:,.0f}")
    results.print(table)
    for workers in WORKERS:
        told = f"{workers} worker{'s' * (workers > 1)}: {60 * hours(costs, workers):,.1f} minutes"
        results.print(told)
    say("One worker is one process like this one, with its threads; see docs/cluster.md.")
