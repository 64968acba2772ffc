"""Progress and tables on a terminal."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from robench.core.types import Measurement, ResultCard
from robench.evaluation import Evaluation, cost
from robench.report.summary import accuracy, difference, flags, groups, percent
from robench.runner import Task
from robench.training.trainer import Epoch, Trainer


def run_with_progress(evaluation: Evaluation, screen: Console) -> None:
    """Measure what is pending, showing what runs, how far it is, its accuracy so far and the time that is left."""
    tasks = evaluation.tasks()
    pending = evaluation.pending()
    if len(pending) < len(tasks):
        screen.print(f"{len(tasks) - len(pending)} of {len(tasks)} measurements are stored already.")
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as progress:
        bar = progress.add_task("", total=sum(cost(task.condition) for task in pending), count="")
        finished = 0

        def watch(task: Task) -> Callable[[int, int], None]:
            before = progress.tasks[0].completed
            total = len(task.data)

            def advance(done: int, correct: int) -> None:
                name = f"{task.subject.card.name} {task.condition.key.partition('?')[0]}"
                progress.update(
                    bar,
                    description=f"{name:<42} {100 * correct / done:5.1f}%",
                    completed=before + cost(task.condition) * done / total,
                )

            return advance

        def done(task: Task, measurement: Measurement) -> None:
            nonlocal finished
            finished += 1
            progress.update(bar, count=f"{finished}/{len(pending)}")

        evaluation.run(pending, watch, done)


def train_with_progress(trainer: Trainer, log: Path, screen: Console) -> None:
    """Train the epochs that are left; one line an epoch goes to ``log`` as JSON."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    recipe = trainer.recipe
    with Progress(*columns, console=screen, transient=True) as progress:
        bar = progress.add_task(
            recipe.name, total=recipe.epochs * trainer.steps, completed=trainer.done * trainer.steps
        )

        def report(epoch: Epoch) -> None:
            with log.open("a") as file:
                file.write(json.dumps(asdict(epoch)) + "\n")
            text = (
                f"{recipe.name} epoch {epoch.number}/{recipe.epochs} loss {epoch.loss:.3f} train {epoch.accuracy:.1%}"
            )
            progress.update(bar, description=text)
            if not screen.is_terminal:
                screen.print(text, highlight=False)

        trainer.run(report, lambda: progress.advance(bar))


def result_table(card: ResultCard, twin: ResultCard | None) -> Table:
    """Every condition of a card, beside the twin's and the paired difference, with 95% intervals."""
    model, data = card.model, card.data
    table = Table(
        title=f"{model.name} ({model.bits} bit) on {data.n} images of {data.name} ({data.source}), {card.suite.name}",
        caption="Top-1 accuracy in percent, differences in points, 95% intervals."
        + (" Bold: the interval of the difference excludes 0." if twin else ""),
    )
    table.add_column("condition")
    table.add_column(model.name, justify="right")
    if twin:
        table.add_column(f"{twin.model.name} (twin)", justify="right")
        table.add_column("difference", justify="right")
    section = ""
    for group in groups(card.suite):
        if group.section != section:
            section = group.section
            table.add_section()
            table.add_row(Text(section, style="bold cyan"))
        cells: list[str | Text] = [group.label + (" *" if flags(card, group) else ""), percent(accuracy(card, group))]
        if twin:
            gap = difference(card, twin, group)
            sure = not isinstance(gap, str) and (gap.low > 0 or gap.high < 0)
            cells += [percent(accuracy(twin, group)), Text(percent(gap, signed=True), style="bold" if sure else "")]
        table.add_row(*cells)
    notes = sorted({flag for group in groups(card.suite) for flag in flags(card, group)})
    if notes:
        table.caption = f"{table.caption}\n* " + "\n* ".join(notes)
    return table
