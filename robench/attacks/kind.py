"""Attacks as a kind of condition."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from robench.attacks import NORMS, TWIN
from robench.attacks.comparisons import doubts
from robench.core.errors import RobenchError
from robench.core.kinds import Axis, Kind, Progress, register
from robench.core.types import Bits, Condition, Measurement, ResultCard, Value

if TYPE_CHECKING:
    from robench.engine.task import Task


@register
class AttackKind(Kind):
    """An adversarial perturbation of the input within a budget; the level is epsilon on the [0, 1] pixel scale."""

    name, section, protocol = "attack", "Attacks", 10
    part, worst_case = "attacks", True
    further_sections: ClassVar[Mapping[str, str]] = {"rounded": "Attacks, on adversarial images rounded to 8 bits"}

    def resolve(self, condition: Condition) -> Condition:
        """Write down what the attack is (its traits)."""
        from robench.attacks.apply import check, gradients_of

        attack = check(condition)
        traits = attack.traits
        if condition.grid and traits.bare:
            raise RobenchError(f"{condition.name} takes one epsilon for all images; leave search out of the suite.")
        known: dict[str, Value] = {
            "distance": traits.distance,
            "gradient": traits.gradient,
            "single_step": traits.single_step,
        }
        if attack.library is not None:
            known["library"] = attack.library.version()
        if gradients_of(condition)[0] == TWIN:
            known["transfers"] = True
        # An epsilon means nothing without its norm: one that an attack has by itself is written down as well.
        own = () if traits.norms[0] == NORMS[0] or condition.setting("norm") else (("norm", traits.norms[0]),)
        params = tuple(sorted(condition.params + own))
        return replace(condition, params=params, facts=tuple(sorted(known.items())))

    def measure(self, task: "Task", progress: Progress) -> Measurement:
        """Attack the images part by part, wherever they are measured."""
        from robench.engine.task import after

        found = list[Measurement]()
        for part in task.parts():
            found.append(self.measure_part(part, after(progress, [measurement.top1 for measurement in found])))
        return self.joined(task, found)

    def divides(self, condition: Condition) -> bool:
        """Each part has a search of its own."""
        return True

    def measure_part(self, task: "Task", progress: Progress) -> Measurement:
        """Attack what is right without an attack; conditions that differ in the level alone share one search.

        ``numbers`` are what the search has noted; there are no flags yet.
        """
        from robench.attacks.measure import obstacle, search

        condition = task.condition
        if reason := obstacle(task):
            nothing = np.zeros(0, bool)
            return Measurement(condition, task.draw, nothing, nothing, (f"n/a: {reason}",))
        found = search(task, progress)
        level = condition.grid.index(condition.level) if condition.level in condition.grid else 0
        outcomes = found.top1[level], found.top5[level]
        return Measurement(
            condition,
            task.draw,
            *outcomes,
            rounded=found.rounded[level],
            distance=found.distance,
            numbers=tuple(asdict(found.notes).items()),
            witness=found.witness,
        )

    def joined(self, task: "Task", parts: Sequence[Measurement]) -> Measurement:
        """With the flags that follow from what all searches have noted."""
        from robench.attacks.measure import flags
        from robench.attacks.notes import Notes

        whole = super().joined(task, parts)
        if not whole.total:
            return whole
        notes = sum((Notes(**dict(part.numbers)) for part in parts), Notes(0))
        return replace(whole, flags=flags(task, notes), numbers=())

    def tolerance(self, condition: Condition) -> float:
        """Attacks take other ways where gradients are added in another order, or in bfloat16."""
        return 0.01

    def leaves_witness(self, condition: Condition) -> bool:
        """Adversarial images."""
        return True

    def confirm(self, task: "Task", measurement: Measurement, witness: Mapping[str, Any]) -> Bits:
        """One forward pass with the adversarial images, of all epsilons that were searched together."""
        from robench.attacks.witness import unconfirmed

        return unconfirmed(task, measurement, witness)

    def plugin(self, condition: Condition) -> object:
        """The attack's function."""
        from robench.attacks import ATTACKS

        return ATTACKS[condition.name.partition(":")[0]].function

    def level(self, condition: Condition) -> str:
        """Epsilon: in pixel levels, ``8/255``, for Linf; a number for L2."""
        return f"{condition.level or 0:g}" if _in_l2(condition) else f"{(condition.level or 0) * 255:g}/255"

    def axis(self, condition: Condition) -> Axis:
        """Epsilons by factors."""
        return Axis("epsilon in L2" if _in_l2(condition) else "epsilon, pixel levels of 255", log=True, from_clean=True)

    def x(self, condition: Condition) -> float:
        """Epsilon, for Linf in pixel levels."""
        return (1 if _in_l2(condition) else 255) * (condition.level or 0.0)

    def cost(self, condition: Condition) -> int:
        """A backward pass counts as two forward passes; the verdicts, plain and rounded, are two more."""
        from robench.attacks.apply import settings_of

        settings = settings_of(condition)
        return 2 + 3 * int(settings.get("steps", 1)) + int(settings.get("queries", 0))

    def counts(self, condition: Condition) -> bool:
        """Not where small steps look for the nearest adversarial image: the level is no budget that they use up."""
        return not condition.fact("distance")

    def family(self, condition: Condition) -> str:
        """All attacks within budgets of one norm."""
        return str(condition.setting("norm", "linf"))

    def doubts(self, card: ResultCard, condition: Condition) -> list[str]:
        """Where an attack that is given less achieves more."""
        return doubts(card, condition)


def _in_l2(condition: Condition) -> bool:
    return condition.setting("norm") == "l2"
