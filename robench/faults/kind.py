"""Memory faults as a kind of condition."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from robench.core.errors import RobenchError
from robench.core.kinds import Axis, Kind, Progress, register
from robench.core.types import Bits, Condition, Measurement, Value
from robench.faults import FAULTS, TIME, DoesNotApplyError

if TYPE_CHECKING:
    from robench.engine.task import Task

SEARCH = 100
"""Rough cost of a search for harmful bits, in forward passes of the evaluated images."""
UNITS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
"""Of time, in seconds."""
AS_STORED = {"encoding": "", "protection": "none", "scope": "weights"}
"""The weights of a network in the encoding of its file, without protection."""


@register
class FaultKind(Kind):
    """What flips, sticks and drifts in the memory that holds the weights."""

    name, section, protocol = "fault", "Memory faults", 1
    part = "memory"

    def resolve(self, condition: Condition) -> Condition:
        """Write down the settings with their defaults, and what the level is."""
        from robench.faults.apply import check

        if condition.grid:
            raise RobenchError(f"search is for attacks; leave it out of the fault {condition.name}.")
        fault, settings = check(condition)
        settings |= {"acts_on": fault.acts_on, "from_clean": fault.level.from_clean, "level": fault.level.name}
        return replace(condition, facts=tuple(sorted(settings.items())))

    def measure(self, task: "Task", progress: Progress) -> Measurement:
        """Judge the images while the memory errs; nothing is judged where the fault means nothing for the model."""
        from robench.faults.measure import measured

        try:
            return measured(task, progress)
        except DoesNotApplyError as reason:
            nothing = np.zeros(0, bool)
            return Measurement(task.condition, task.draw, nothing, nothing, (f"n/a: {reason}",))

    def divides(self, condition: Condition) -> bool:
        """The memory is the same on every machine; a search for harmful bits goes by the accuracy on all images."""
        return condition.fact("acts_on") != "search"

    def plugin(self, condition: Condition) -> object:
        """The fault's function."""
        return FAULTS[condition.name].function

    def calibrates(self, condition: Condition) -> bool:
        """A search looks for harmful bits on training images."""
        return condition.fact("acts_on") == "search"

    def tolerance(self, condition: Condition) -> float:
        """A search may take another way to chance on another machine; its bits can be seen (see ``confirm``)."""
        return 1.0 if condition.fact("acts_on") == "search" else super().tolerance(condition)

    def leaves_witness(self, condition: Condition) -> bool:
        """The bits that a search has turned; other faults are drawn again from their seed."""
        return condition.fact("acts_on") == "search"

    def confirm(self, task: "Task", measurement: Measurement, witness: Mapping[str, Any]) -> Bits:
        """One forward pass with the bits turned."""
        from robench.faults.witness import unconfirmed

        return unconfirmed(task, measurement, witness)

    def counts(self, condition: Condition) -> bool:
        """What comes by chance, on the weights as they are stored.

        An attacker's flips are counted to chance. A protection or another encoding asks what else could be had.
        """
        facts = dict(condition.facts)
        return facts.get("acts_on") != "search" and all(facts.get(k, v) == v for k, v in AS_STORED.items())

    def setting(self, name: str, value: Value) -> str:
        """As in ``bit_error (secded) 0.001``, ``pcm (no compensation) 1 h``, ``stuck (hrs 1, lrs 5.17) 0.05``."""
        if isinstance(value, bool):
            return name if value else f"no {name}"
        return value if isinstance(value, str) else f"{name} {value:g}"

    def level(self, condition: Condition) -> str:
        """Rates as numbers, times as in ``30 d``."""
        value = condition.level or 0.0
        if condition.fact("level") != TIME:
            return super().level(condition)
        unit = next((unit for unit, seconds in UNITS.items() if value >= seconds and value % seconds == 0), "s")
        return f"{value / UNITS[unit]:g} {unit}"

    def axis(self, condition: Condition) -> Axis:
        """Rates, flips and times by factors."""
        return Axis(str(condition.fact("level")), log=True, from_clean=bool(condition.fact("from_clean")))

    def cost(self, condition: Condition) -> int:
        """One forward pass, or a search."""
        return SEARCH if self.calibrates(condition) else 1
