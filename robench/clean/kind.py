"""Clean accuracy as a kind of condition."""

from typing import TYPE_CHECKING

from robench.core.errors import RobenchError
from robench.core.kinds import Kind, Progress, register
from robench.core.types import CLEAN, Condition, Measurement

if TYPE_CHECKING:
    from robench.engine.task import Task


@register
class Clean(Kind):
    """Accuracy without noise, attack or change of weights."""

    name, section, protocol = "clean", "Clean and input noise", 5

    def resolve(self, condition: Condition) -> Condition:
        """There is one clean condition, without settings."""
        if condition != CLEAN or condition.draws != 1:
            raise RobenchError('the clean condition is kind = "clean", names = ["clean"], and nothing else.')
        return condition

    def measure(self, task: "Task", progress: Progress) -> Measurement:
        """Judge the images as they are, and check whether the model's answers can be relied on."""
        from robench.clean import sanity
        from robench.engine.task import clean_outcomes, first_images

        top1, top5 = clean_outcomes(task, progress)
        x, _ = first_images(task)
        flags = sanity.of_predictions(task.model.original, x[: sanity.COMPARED])
        flags += sanity.of_clean_accuracy(int(top1.sum()), len(top1), len(task.data.classes))
        flags += sanity.of_outputs(task.model.original, x[: sanity.COMPARED], len(task.data.classes))
        numbers = sanity.disagreement(task)
        flags += sanity.of_disagreement(numbers, len(top1))
        return Measurement(task.condition, task.draw, top1, top5, flags, numbers=numbers)

    def plugin(self, condition: Condition) -> object:
        """None."""
        return None
