"""Take one measurement."""

import time
from dataclasses import replace

import torch

from robench.core.errors import RobenchError
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
    return replace(result, seconds=time.perf_counter() - started)
