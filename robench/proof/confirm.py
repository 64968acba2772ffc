"""Does what a card calls fallen fall, by the witness that was kept of it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Measurement
from robench.engine.task import Task
from robench.measure import witness
from robench.proof.again import Again

NONE = "there is no witness"


@dataclass(frozen=True, eq=False)
class Confirmation:
    """What the witness of one measurement shows.

    Attributes:
        measurement: what the card says.
        fallen: how many images it calls fallen, when rounded to 8 bits.
        standing: those of them that are not seen to fall, as indices in the data set.
        problem: why nothing could be seen; "" where it could.
    """

    measurement: Measurement
    fallen: int
    standing: tuple[int, ...] = ()
    problem: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether every image that the card calls fallen is seen to fall."""
        return not self.problem and not self.standing


def confirm(work: Again, folder: Path) -> Iterator[Confirmation]:
    """Look at the witness of every measurement that leaves one.

    A robust accuracy that is too high is not found: a witness shows what fell, and nothing shows what stands.
    """
    for measurement, task in work.pairs:
        if measurement.total and kind_of(task.condition).leaves_witness(task.condition):
            yield _confirmed(measurement, task, folder)


def _confirmed(measurement: Measurement, task: Task, folder: Path) -> Confirmation:
    outcomes = measurement.rounded if len(measurement.rounded) else measurement.top1
    fallen = int((~outcomes).sum())
    try:
        arrays = _arrays(task, folder)
        if arrays is None:
            return Confirmation(measurement, fallen, problem=NONE)
        standing = kind_of(task.condition).confirm(task, measurement, arrays)
    except RobenchError as error:
        return Confirmation(measurement, fallen, problem=str(error))
    return Confirmation(measurement, fallen, tuple(np.flatnonzero(standing).tolist()))


def _arrays(task: Task, folder: Path) -> dict[str, np.ndarray] | None:
    """Read once for all epsilons of a grid."""
    return task.model.remembered(witness.path_of(task, folder), lambda: witness.read(task, folder))
