"""Corruptions as a kind of condition."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from robench.core.errors import RobenchError
from robench.core.kinds import Axis, Kind, Progress, register
from robench.core.types import Blocks, Condition, Images, Measurement, Value
from robench.corruptions import CIFAR, CORRUPTIONS, IMAGENET, Amount
from robench.corruptions.apply import Corrupted, amount_of

if TYPE_CHECKING:
    from robench.data.base import Dataset
    from robench.engine.task import Task

SEVERITIES = (1, 2, 3, 4, 5)
_latest: "WeakKeyDictionary[Dataset, tuple[object, Images]]" = WeakKeyDictionary()
"""The last corrupted images of each data set in memory: models take turns at a condition, and share them."""


@register
class CorruptionKind(Kind):
    """Noise on the input image, at a severity from 1 to 5 or at an amount of its own."""

    name, section, protocol = "corruption", "Clean and input noise", 5
    part = "noise"

    def resolve(self, condition: Condition) -> Condition:
        """Write down the amount."""
        params = dict(condition.params)
        amount, of = params.pop("amount", None), params.pop("parameters", CIFAR)
        if params or isinstance(amount, bool) or not isinstance(amount, int | float | None) or not isinstance(of, str):
            raise RobenchError(
                f"the corruption {condition.name} takes a severity, or amount = NUMBER, and parameters = "
                f'"{IMAGENET}" for large images; not {dict(condition.params)}.'
            )
        if condition.grid:
            raise RobenchError(f"search is for attacks; the corruption {condition.name} has no epsilon.")
        if condition.level is None and amount is None:
            raise RobenchError(f"the corruption {condition.name} needs a severity from 1 to 5, or an amount.")
        found = _amount(condition)
        fact: tuple[str, Value] = ("amount", float(found)) if not isinstance(found, tuple) else ("settings", str(found))
        return replace(condition, facts=(fact,))

    def from_line(self, name: str, level: float | None, params: dict[str, Value], draws: int) -> Condition:
        """A whole number from 1 to 5 is a severity, any other number an amount."""
        if level is not None and level not in SEVERITIES:
            return super().from_line(name, None, {**params, "amount": level}, draws)
        return super().from_line(name, level, params, draws)

    def measure(self, task: "Task", progress: Progress) -> Measurement:
        """Judge the corrupted images; of a data set that brings its own, those."""
        from robench.engine.task import judge_images

        images = _corrupted(task)
        if images is None:
            nothing = np.zeros(0, bool)
            reason = f"n/a: {task.data.name} has no images of it"
            return Measurement(task.condition, task.draw, nothing, nothing, (reason,))
        return Measurement(task.condition, task.draw, *judge_images(task, images, progress))

    def divides(self, condition: Condition) -> bool:
        """An image's noise depends on its place alone."""
        return True

    def axis(self, condition: Condition) -> Axis:
        """Severities."""
        return Axis("severity", from_clean=True)

    def plugin(self, condition: Condition) -> object:
        """The corruption's function."""
        return CORRUPTIONS[condition.name].function

    def label(self, condition: Condition) -> str:
        """Severities of one corruption share a label, and so a row."""
        amount = [f"{value:g}" for name, value in condition.params if name == "amount"]
        whose = [f"({value})" for name, value in condition.params if name == "parameters"]
        return " ".join([condition.name, *amount, *whose])


def _amount(condition: Condition) -> Amount:
    amount: Any = dict(condition.params).get("amount")
    return amount_of(condition.name, condition.level, amount, str(condition.setting("parameters", CIFAR)))


def _corrupted(task: "Task") -> Blocks | None:
    """The images to judge; None where the data set brings corrupted ones, and not these."""
    condition = task.condition
    if task.data.recorded is not None:
        return task.data.recorded.of(condition.name, condition.level)
    noisy = Corrupted(task.data.images, condition.name, _amount(condition), task.seed, task.draw)
    if task.part is not None or not isinstance(task.data.images, np.ndarray):
        return noisy  # made when they are asked for
    key = (condition, condition.facts, task.seed, task.draw)
    known = _latest.get(task.data)
    if known is None or known[0] != key:
        known = (key, noisy[:])
        _latest[task.data] = known
    return known[1]
