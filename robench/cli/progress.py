"""Progress of long work on a terminal; one line for each finished step where there is none."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from robench.core.types import Measurement
from robench.evaluation import Evaluation, cost
from robench.runner import Task
from robench.training.trainer import Epoch, Trainer


def _bars(screen: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
    )


def _line(screen: Console, text: str) -> None:
    if not screen.is_terminal:
        screen.print(text, highlight=False, soft_wrap=True)


def run_with_progress(evaluation: Evaluation, screen: Console) -> None:
    """Measure what is pending, showing what runs, how far it is, its accuracy so far and the time that is left."""
    pending = evaluation.pending()
    known = len(evaluation.tasks()) - len(pending)
    if known:
        screen.print(f"{known} of {known + len(pending)} measurements are stored already.", highlight=False)
    finished, work = 0, 0.0
    with _bars(screen) as progress:
        bar = progress.add_task("", total=sum(cost(task.condition) for task in pending), count="")

        def watch(task: Task) -> Callable[[int, int], None]:
            def advance(done: int, correct: int) -> None:
                text = f"{_name(task):<44} {correct / done:6.1%}"
                progress.update(bar, description=text, completed=work + cost(task.condition) * done / len(task.data))

            return advance

        def done(task: Task, measurement: Measurement) -> None:
            nonlocal finished, work
            finished += 1
            work += cost(task.condition)
            progress.update(bar, completed=work, count=f"{finished}/{len(pending)}")
            if measurement.draw == task.condition.draws - 1:
                _line(screen, f"{_name(task)}: {measurement.correct}/{measurement.total} ({finished}/{len(pending)})")

        evaluation.run(pending, watch, done)


def _name(task: Task) -> str:
    return f"{task.subject.card.name} {task.condition.key.partition('?')[0]}"


def train_with_progress(trainer: Trainer, log: Path, screen: Console) -> None:
    """Train the epochs that are left; one line an epoch goes to ``log`` as JSON."""
    recipe = trainer.recipe
    with _bars(screen) as progress:
        bar = progress.add_task(
            recipe.name,
            total=recipe.epochs * trainer.steps,
            completed=trainer.done * trainer.steps,
            count=f"{trainer.done}/{recipe.epochs}",
        )

        def report(epoch: Epoch) -> None:
            with log.open("a") as file:
                file.write(json.dumps(asdict(epoch)) + "\n")
            text = f"{recipe.name} loss {epoch.loss:.3f} train {epoch.accuracy:.1%}"
            shares = {"held out": epoch.held_out, **epoch.under, "robust": epoch.robust}
            text += "".join(f" {name} {value:.1%}" for name, value in shares.items() if value is not None)
            count = f"{epoch.number}/{recipe.epochs}"
            progress.update(bar, description=text, count=count)
            _line(screen, f"{text} epoch {count}")

        trainer.run(report, lambda: progress.advance(bar))
