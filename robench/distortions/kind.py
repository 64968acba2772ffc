"""Weight distortions as a kind of condition."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from robench.core.errors import RobenchError
from robench.core.kinds import Axis, Kind, Progress, register
from robench.core.types import Condition, Measurement
from robench.distortions import DISTORTIONS, PARTS, SCOPES

if TYPE_CHECKING:
    from robench.engine.task import Task

SETTINGS = {"scope": SCOPES, "acts_on": PARTS, "batch_norm": ("recalibrated",)}
"""What a condition may ask for besides a level. ``batch_norm``: its statistics are moved as the distortion moves those
of training images (see ``robench.engine.recalibration``)."""


@register
class DistortionKind(Kind):
    """A change of the values, codes or scales of the weights, at a level."""

    name, section, protocol = "distortion", "Weight distortions", 6
    part = "weights"

    def resolve(self, condition: Condition) -> Condition:
        """Write down what the distortion acts on."""
        from robench.distortions.apply import check

        name = condition.name
        distortion = check(name, condition.level)
        for key, value in condition.params:
            if value not in SETTINGS.get(key, ()):
                known = "; ".join(f"{key} = {' or '.join(map(repr, values))}" for key, values in SETTINGS.items())
                raise RobenchError(f"the distortion {name} takes no {key} = {value!r}; its settings: {known}.")
        if condition.grid:
            raise RobenchError(f"search is for attacks; leave it out of the distortion {name}.")
        if condition.draws > 1 and not distortion.random:
            raise RobenchError(f"the distortion {name} draws no random numbers; leave draws out.")
        acts_on, scope = condition.setting("acts_on", distortion.acts_on), condition.setting("scope", distortion.scope)
        return replace(condition, facts=(("acts_on", acts_on), ("random", distortion.random), ("scope", scope)))

    def measure(self, task: "Task", progress: Progress) -> Measurement:
        """Judge the images while the weights are distorted; nothing is judged where the distortion does not apply."""
        from robench.distortions.measure import distorted_model
        from robench.engine.task import judge_images

        with distorted_model(task) as obstacle:
            if not obstacle:
                outcomes = judge_images(task, task.data.images, progress)
                return Measurement(task.condition, task.draw, *outcomes)
        nothing = np.zeros(0, bool)
        return Measurement(task.condition, task.draw, nothing, nothing, (f"n/a: {obstacle}",))

    def divides(self, condition: Condition) -> bool:
        """The weights are the same on every machine."""
        return True

    def axis(self, condition: Condition) -> Axis:
        """Levels."""
        return Axis("level of weight distortion", from_clean=bool(condition.fact("random")))

    def plugin(self, condition: Condition) -> object:
        """The distortion's function."""
        return DISTORTIONS[condition.name].function

    def counts(self, condition: Condition) -> bool:
        """Noise alone: a projection asks what a network would be without a part of it, and many have no such part."""
        return bool(condition.fact("random"))

    def calibrates(self, condition: Condition) -> bool:
        """Batch norm's statistics are taken again over training images."""
        return condition.setting("batch_norm") == "recalibrated"
