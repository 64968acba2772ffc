"""Progress of long work on a terminal; one line for each finished step where there is none."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from robench.core.kinds import kind_of
from robench.core.types import Measurement
from robench.engine.task import Task
from robench.measure.run import Run
from robench.training.export import in_words
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
        screen.print(text, soft_wrap=True)


Engine = Callable[[Callable[[Task, Measurement], None]], None]
"""Measures what is pending of a run elsewhere, and tells of each measurement."""


def run_with_progress(run: Run, screen: Console, engine: Engine | None = None) -> None:
    """Measure what is pending, showing what runs, how far it is, its accuracy so far and the time that is left."""
    pending = run.pending()
    known = len(run.work) - len(pending)
    if known:
        screen.print(f"{known} of {known + len(pending)} measurements are stored already.")
    finished, work = 0, 0.0
    with _bars(screen) as progress:
        bar = progress.add_task("", total=sum(_cost(item.task) for item in pending), count="")

        def watch(task: Task) -> Callable[[int, int], None]:
            def advance(done: int, correct: int) -> None:
                text = f"{_name(task):<44} {correct / done:6.1%}"
                progress.update(bar, description=text, completed=work + _cost(task) * done / len(task.data))

            return advance

        def done(task: Task, measurement: Measurement) -> None:
            nonlocal finished, work
            finished += 1
            work += _cost(task)
            progress.update(bar, completed=work, count=f"{finished}/{len(pending)}")
            if measurement.draw == task.condition.draws - 1:
                _line(screen, f"{_name(task)}: {_count(measurement)} ({finished}/{len(pending)})")

        if engine is None:
            run.measure(pending, watch, done)
        else:
            engine(done)


def _cost(task: Task) -> int:
    return kind_of(task.condition).cost(task.condition)


def _count(measurement: Measurement) -> str:
    return f"{measurement.correct}/{measurement.total}" if measurement.total else "n/a"


def _name(task: Task) -> str:
    return f"{task.model.card.name} {kind_of(task.condition).label(task.condition)}"


class Pace:
    """Says in one line what an epoch will take, after the first steps of a run.

    The first step of all is not timed: it prepares what the others find.
    """

    timed = 5

    def __init__(self, trainer: Trainer, say: Callable[[str], None], clock: Callable[[], float] = time.perf_counter):
        self.trainer = trainer
        self.say = say
        self.clock = clock
        self.steps = 0
        self.started = 0.0

    def step(self) -> None:
        """Hear of one step that is done."""
        self.steps += 1
        if self.steps == 1:
            self.started = self.clock()
        elif self.steps == min(1 + self.timed, self.trainer.steps):
            self.say(self._forecast((self.clock() - self.started) / (self.steps - 1)))

    def _forecast(self, step: float) -> str:
        trainer = self.trainer
        epoch, left = step * trainer.steps, trainer.recipe.epochs - trainer.done
        rest = f", the {left} epochs that are left about {duration(epoch * left)}" if left > 1 else ""
        return f"in {trainer.precision} an epoch of {trainer.steps} steps will take about {duration(epoch)}{rest}"


def duration(seconds: float) -> str:
    """Such as ``45 s``, ``3 min 10 s`` or ``1 h 35 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s" if seconds else "less than a second"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def train_with_progress(trainer: Trainer, log: Path, screen: Console) -> None:
    """Train the epochs that are left; one line an epoch goes to ``log`` as JSON."""
    recipe = trainer.recipe

    def say(text: str) -> None:
        screen.print(f"{recipe.name}: {text}.", soft_wrap=True)

    if trainer.done and trainer.done < recipe.epochs and trainer.precisions[-1] != trainer.precision:
        say(f"epochs so far in {in_words(trainer.precisions)}; the next are computed in {trainer.precision}")
    pace = Pace(trainer, say)
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

        def step_done() -> None:
            progress.advance(bar)
            pace.step()

        trainer.run(report, step_done)
