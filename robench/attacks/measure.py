"""An attack on one model: the search that conditions share, and the flags that stand beside it."""

from dataclasses import replace

from robench.attacks import OWN, SMOOTH, TWIN, sanity
from robench.attacks.apply import gradients_of
from robench.attacks.search import Search, SearchResult
from robench.attacks.toolbox import without_rounding
from robench.core.kinds import Progress
from robench.engine.task import Task, clean_outcomes, first_images


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
    """One search for all tasks that differ in the level alone."""
    condition = replace(task.condition, level=None) if task.condition.grid else task.condition

    def run() -> SearchResult:
        clean, _ = clean_outcomes(task)
        model, data, size = task.model, task.data, task.batch_size
        with model.stopping_early(model.early_stopping and _predictable(task)):
            found = Search(
                model, data, clean, condition, task.seed, task.draw, size, progress, witness=task.witness
            ).run()
        flags = _gradient_flags(task) if condition.fact("gradient") else ()
        return replace(found, flags=found.flags + flags)

    return task.model.remembered((task.data, condition, task.draw, task.seed), run)


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
