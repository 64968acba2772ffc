"""Take one measurement, of all images at once or of one part after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from robench.core.errors import RobenchError, foreign_code
from robench.core.kinds import Kind, Progress, kind_of
from robench.core.types import Measurement
from robench.engine.task import Task


def measure(task: Task, progress: Progress = lambda done, correct: None) -> Measurement:
    """Take one measurement.

    Args:
        task: what to measure; its condition may be one that no suite has resolved.
        progress: called with (images done, correct so far) after each batch.

    Raises:
        RobenchError: the condition does not fit, or the model cannot be evaluated on these images.
    """
    return _timed(task, lambda kind, resolved: kind.measure(resolved, progress))


def parts_of(task: Task) -> list[Task]:
    """The parts that several machines may measure; the task itself where that is not worth it, or cannot be."""
    parts = task.parts() if kind_of(task.condition).divides(task.condition) else []
    return parts if len(parts) > 1 else [task]


def measure_part(task: Task) -> Measurement:
    """Measure one of ``parts_of``; what comes of it is for ``join`` alone, where there are more."""
    if task.part is None:
        return measure(task)
    return _timed(task, lambda kind, resolved: kind.measure_part(resolved, lambda done, correct: None))


def join(task: Task, parts: Sequence[Measurement]) -> Measurement:
    """The measurement of a task from those of all ``parts_of`` it, in order."""
    if len(parts) == 1:
        return parts[0]
    together = _timed(task, lambda kind, resolved: kind.joined(resolved, parts))
    return replace(together, seconds=sum(part.seconds for part in parts))


def _timed(task: Task, take: Callable[[Kind, Task], Measurement]) -> Measurement:
    kind = kind_of(task.condition)
    task = replace(task, condition=kind.resolve(task.condition))
    started = time.perf_counter()
    with _blamed(task):
        result = take(kind, task)
    return replace(result, seconds=time.perf_counter() - started)


@contextmanager
def _blamed(task: Task) -> Iterator[None]:
    """What the code of others raises says whose it is."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RobenchError("the device ran out of memory; use a smaller --batch-size.") from error
    except (Exception, SystemExit):
        guests = _guests(task)
        if not guests:
            raise
        with foreign_code(f"{task.condition.key} on {task.model.card.name} (with the code of {' and '.join(guests)})"):
            raise


def _guests(task: Task) -> list[str]:
    """Whose code takes part in a measurement, besides robench's own: that of the model, and of the plug-in."""
    module = task.model.original.model
    network = getattr(module, "network", module)
    plugin = kind_of(task.condition).plugin(task.condition)
    own = type(network).__module__.startswith("robench.")
    guests = [] if own else [task.model.card.name]
    if ":" in task.condition.name or not getattr(plugin, "__module__", "robench.").startswith("robench."):
        guests.append(task.condition.name)
    return guests
