"""Take one measurement."""

import time
from dataclasses import replace

import torch

from robench.core.errors import RobenchError, foreign_code
from robench.core.kinds import Progress, kind_of
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
    kind = kind_of(task.condition)
    task = replace(task, condition=kind.resolve(task.condition))
    started = time.perf_counter()
    try:
        result = kind.measure(task, progress)
    except torch.OutOfMemoryError as error:
        raise RobenchError("the device ran out of memory; use a smaller --batch-size.") from error
    except (Exception, SystemExit):
        guests = _guests(task)
        if not guests:
            raise
        with foreign_code(f"{task.condition.key} on {task.model.card.name} (with the code of {' and '.join(guests)})"):
            raise
    return replace(result, seconds=time.perf_counter() - started)


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
