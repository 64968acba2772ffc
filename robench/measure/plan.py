"""The work of an evaluation, measurement by measurement."""

from collections.abc import Iterable
from dataclasses import dataclass

from robench.core.kinds import kind_of
from robench.core.types import Suite
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import is_large
from robench.engine.task import Task
from robench.measure.key import measurement_key, plugin_code

BATCH, LARGE_BATCH = 1024, 128
"""Images held at once: 12 MB of CIFAR-10's, or 77 MB of 224x224 pixels, beside which activations are small."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A task, and the key under which its measurement is stored."""

    task: Task
    key: str


def plan(
    models: Iterable[ModelUnderTest],
    data: Dataset,
    suite: Suite,
    batch_size: int | None,
    calibration: Dataset | None,
    *,
    witness: bool = False,
) -> tuple[Planned, ...]:
    """All measurements in order: a condition for every model before the next, so that its images are made once.

    Args:
        models: every model that is measured, twins among them.
        data: exactly the images that are evaluated.
        suite: the conditions and the seed.
        batch_size: images held at once, None for as many as their size allows; no outcome depends on it.
        calibration: training images, for conditions that need them.
        witness: keep what shows that images fell, where a kind of condition knows how.
    """
    size = batch_size or (LARGE_BATCH if is_large(data) else BATCH)
    everyone, found = tuple(models), list[Planned]()
    for condition in suite.conditions:
        code, kind = plugin_code(condition), kind_of(condition)
        training, shows = calibration if kind.calibrates(condition) else None, kind.leaves_witness(condition)
        for draw in range(condition.draws):
            for model in everyone:
                task = Task(model, data, condition, draw, suite.seed, size, training, witness and shows)
                found.append(Planned(task, measurement_key(task, code)))
    return tuple(found)
