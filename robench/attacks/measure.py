"""An attack on one model: the search that conditions share, and the flags that stand beside it."""

from dataclasses import replace

from robench.attacks import OWN, SMOOTH, TWIN, sanity
from robench.attacks.apply import check, gradients_of, seconds_of
from robench.attacks.notes import Notes
from robench.attacks.search import Search, SearchResult, attacked
from robench.attacks.toolbox import without_rounding
from robench.core.kinds import Progress
from robench.engine.surrogate import Surrogate
from robench.engine.task import Task, clean_outcomes, first_images

STRAIGHT_THROUGH, OWN_GRADIENTS = "straight-through ones", "the model's own"


def obstacle(task: Task) -> str:
    """Why an attack cannot run on a model; "" where it can."""
    via, _ = gradients_of(task.condition)
    if via == TWIN and task.model.source is None:
        return "there is no other model of its pair, with gradients, that could lend its adversarial images"
    if via == SMOOTH and task.model.smooth() is None:
        return "the model takes no signs and rounds nothing that could be smoothed, or cannot be traced"
    if task.condition.fact("gradient") and task.model.no_gradient and task.model.source is None and via != SMOOTH:
        return task.model.no_gradient
    return ""


def search(task: Task, progress: Progress) -> SearchResult:
    """One search of a task's images, for all tasks that differ in the level alone."""
    condition = replace(task.condition, level=None) if task.condition.grid else task.condition

    def run() -> SearchResult:
        clean = clean_outcomes(task)
        with task.model.stopping_early(task.model.early_stopping and _predictable(task)):
            return Search(replace(task, condition=condition), clean, progress).run()

    return task.model.remembered((task.data, task.images, condition, task.draw, task.seed), run)


def flags(task: Task, notes: Notes) -> tuple[str, ...]:
    """Reasons to doubt the outcomes of an attack: what its searches have noted, and what the model's gradients are."""
    traits, condition = check(task.condition).traits, task.condition
    _, second = attacked(task.model, traits, gradients_of(condition)[0])
    names = None
    if second is not None:
        straight_first = not isinstance(second.model, Surrogate)
        names = (STRAIGHT_THROUGH, OWN_GRADIENTS) if straight_first else (OWN_GRADIENTS, STRAIGHT_THROUGH)
    found = notes.flags(seconds_of(condition), names, minimal=traits.minimal)
    return found + (_gradient_flags(task) if condition.fact("gradient") else ())


def _predictable(task: Task) -> bool:
    def run() -> bool:
        return not task.model.no_gradient and sanity.predictable(
            without_rounding(task.model.gradients), *first_images(task)
        )

    return task.model.remembered((task.data, "predictable"), run)


def _gradient_flags(task: Task) -> tuple[str, ...]:
    if gradients_of(task.condition)[0] != OWN:  # another attack's flags are about the model's own
        return ()
    if task.model.no_gradient and task.model.source is not None:
        return (f"transferred: {task.model.no_gradient}; images were made on its twin {task.model.source.card.name}",)

    def run() -> tuple[str, ...]:
        flags = sanity.of_gradients(task.model.in_torch, *first_images(task))
        return flags + sanity.of_surrogates(task.model.gradients, _predictable(task))

    return task.model.remembered((task.data, "gradient flags"), run)
