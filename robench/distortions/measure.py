"""A distortion of one model's weights, for as long as its images are judged."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from robench.distortions.apply import distorted
from robench.engine.recalibration import Statistics, recalibrated, statistics
from robench.engine.task import Task

UNCHANGED = "nothing changed: the distortion is the identity on these weights"
NO_CODES = "this model stores no {}"
NO_BATCH_NORM = "this model has no batch norm to recalibrate"


@contextmanager
def distorted_model(task: Task) -> Iterator[str]:
    """Distort the model's weights for a while; yields why the condition does not apply to it, or ""."""
    condition, tested = task.condition, task.model
    model = tested.original.model
    scope, acts_on = str(condition.fact("scope")), str(condition.fact("acts_on"))
    draw = (condition.name, condition.level, task.seed, task.draw)
    before = _statistics(task) if task.calibration is not None and not tested.sealed else None
    if tested.sealed:
        yield tested.sealed
        return
    with ExitStack() as stack:
        stack.callback(tested.refresh)  # last of all, when weights and statistics are what they were
        applies = stack.enter_context(distorted(model, *draw, stored=tested.stored, scope=scope, acts_on=acts_on))
        fits = before is None or stack.enter_context(recalibrated(model, _calibration_images(task), before))
        tested.refresh()
        if not applies:
            coded = any(weight.is_coded for weight in tested.stored.values())
            yield UNCHANGED if coded or acts_on == "values" else NO_CODES.format(acts_on)
        else:
            yield "" if fits else NO_BATCH_NORM


def _statistics(task: Task) -> Statistics:
    """Batch norm's statistics over the calibration images while the weights are what they were."""

    def run() -> Statistics:
        return statistics(task.model.original.model, _calibration_images(task))

    return task.model.remembered((task.calibration, "statistics"), run)


def _calibration_images(task: Task) -> torch.Tensor:
    assert task.calibration is not None
    return torch.from_numpy(task.calibration.images[:])
