"""What a kind of condition is: how it is checked, measured, identified, named and shown.

Each kind is one object in a folder of its own, ``robench/<folder>/kind.py``, beside the plug-ins that it measures.
Everything else asks the object and never looks at its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from robench.core.registry import Registry
from robench.core.types import Bits, Condition, Measurement, ResultCard, Value

Progress = Callable[[int, int], None]
"""Called with (images done, correct so far)."""


@dataclass(frozen=True)
class Axis:
    """The axis of a plot over levels.

    Attributes:
        name: what the levels are, with their unit.
        log: whether they are spaced by factors.
        from_clean: whether it begins at level 0 with the clean accuracy.
    """

    name: str = "level"
    log: bool = False
    from_clean: bool = False


class Kind(ABC):
    """One kind of condition, such as attacks.

    Attributes:
        name: as suites write it.
        section: heading of the tables that show it.
        further_sections: outcome of a measurement -> heading of a further table of the same conditions.
        part: the score that its conditions count for (see ``robench.results.scores``), such as "noise"; none if empty.
        worst_case: whether several conditions of one family and level give one outcome, that of the worst.
        protocol: raised whenever robench's own code around the plug-ins would give other outcomes: what is stored under
            another number is measured again.
    """

    name: ClassVar[str]
    section: ClassVar[str]
    further_sections: ClassVar[Mapping[str, str]] = MappingProxyType({})
    part: ClassVar[str] = ""
    worst_case: ClassVar[bool] = False
    protocol: ClassVar[int]

    @abstractmethod
    def resolve(self, condition: Condition) -> Condition:
        """Check a condition and write down what it stands for (its ``facts``).

        Raises:
            RobenchError: it names what does not exist, or has a level or parameter that does not fit.
        """

    @abstractmethod
    def measure(self, task: Any, progress: Progress) -> Measurement:
        """Measure a resolved condition.

        Args:
            task: a ``robench.engine.task.Task``.
            progress: hears of finished images.

        Raises:
            RobenchError: the condition does not fit this model.
        """

    def divides(self, condition: Condition) -> bool:
        """Whether several machines may measure some of the images each, as ``measure_part`` does."""
        return False

    def measure_part(self, task: Any, progress: Progress) -> Measurement:
        """Measure a resolved condition on the images of ``task.part``; what comes of it is for ``joined`` alone."""
        return self.measure(task, progress)

    def joined(self, task: Any, parts: Sequence[Measurement]) -> Measurement:
        """What the parts of a task, in order, give together: the same as ``measure`` gives of all of its images."""
        first = parts[0]
        if len(parts) == 1 or not first.total:
            return first
        outcomes: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("top1", "top5", "rounded", "distance")
        }
        witness = {name: np.concatenate([part.witness[name] for part in parts]) for name in first.witness}
        return replace(first, **outcomes, witness=witness)

    @abstractmethod
    def plugin(self, condition: Condition) -> object:
        """The registered function that does the work; its source code decides the outcomes, too. None for none."""

    def from_line(self, name: str, level: float | None, params: dict[str, Value], draws: int) -> Condition:
        """What ``NAME@LEVEL,KEY=VALUE`` means on the command line; not resolved."""
        return Condition(self.name, name, level, tuple(sorted(params.items())), draws)

    def label(self, condition: Condition) -> str:
        """What tables call a condition; conditions that share a label share a row, and are averaged."""
        settings = ", ".join(self.setting(name, value) for name, value in condition.params)
        name = f"{condition.name} ({settings})" if settings else condition.name
        return name if condition.level is None else f"{name} {self.level(condition)}"

    def level(self, condition: Condition) -> str:
        """What tables call a level."""
        return f"{condition.level:g}"

    def setting(self, name: str, value: Value) -> str:
        """What a label calls a setting."""
        return str(value)

    def axis(self, condition: Condition) -> Axis:
        """The axis of a plot over conditions that differ in the level alone."""
        return Axis()

    def x(self, condition: Condition) -> float:
        """Where a condition stands on the axis of its levels."""
        return condition.level or 0.0

    def cost(self, condition: Condition) -> int:
        """Rough work for one image, in forward passes."""
        return 1

    def calibrates(self, condition: Condition) -> bool:
        """Whether measuring it needs training images."""
        return False

    def counts(self, condition: Condition) -> bool:
        """Whether a condition counts for the score of this kind's part."""
        return True

    def family(self, condition: Condition) -> str:
        """Which conditions share one weight in a score, however many they are."""
        return condition.name

    def tolerance(self, condition: Condition) -> float:
        """Share of the images whose outcomes may differ when it is measured again on another machine."""
        return 0.002

    def leaves_witness(self, condition: Condition) -> bool:
        """Whether what falls under a condition can be shown to others (see ``confirm``)."""
        return False

    def confirm(self, task: Any, measurement: Measurement, witness: Mapping[str, Any]) -> Bits:
        """Which of the images that fell by a measurement are not seen to fall by its witness, bool [N].

        Args:
            task: a ``robench.engine.task.Task`` of the measurement's condition.
            measurement: what a card says.
            witness: arrays, as this kind's ``measure`` left them; perhaps edited since.

        Raises:
            RobenchError: the arrays are of another form.
        """
        raise NotImplementedError

    def doubts(self, card: ResultCard, condition: Condition) -> list[str]:
        """Reasons to doubt its figure that other measurements of the same card give."""
        return []


KINDS: Registry[Kind] = Registry("kind of condition", "robench", each="kind")


def register(kind: type[Kind]) -> type[Kind]:
    """Class decorator: add a kind."""
    KINDS.add(kind.name, kind())
    return kind


def kind_of(condition: Condition) -> Kind:
    """The object of a condition's kind."""
    return KINDS[condition.kind]
