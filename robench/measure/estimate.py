"""What an evaluation is going to take, from a small sample of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from robench.core.kinds import kind_of
from robench.core.types import Condition
from robench.engine.task import Task
from robench.measure.measure import measure, parts_of
from robench.measure.request import Request
from robench.measure.run import open_run

SAMPLE = 64
"""Images of the first of two samples; the second has three times as many, which tells fixed costs from the others'."""
TIMES = 3


@dataclass(frozen=True)
class Cost:
    """What a condition takes on one model, with all draws and images.

    Attributes:
        model: its name.
        condition: which.
        passes: forward passes, as its kind counts them.
        seconds: of one worker.
        longest: seconds of its largest part that is not divided among workers.
    """

    model: str
    condition: Condition
    passes: int
    seconds: float
    longest: float


def estimate(
    request: Request, sample: int = SAMPLE, tell: Callable[[int, int], None] = lambda done, total: None
) -> list[Cost]:
    """Measure every condition once on a few images, and on three times as many, and draw the line to all of them.

    Args:
        request: what is going to be measured; nothing of it is stored.
        sample: how many images.
        tell: hears how many of how many samples are done.

    Raises:
        RobenchError: as for the evaluation itself.
    """
    with open_run(replace(request, store=None, witness=None, shard="")) as run:
        images = len(run.data)
        sizes = [size for size in (sample, TIMES * sample) if size < images] or [images]
        tasks = [item.task for item in run.work if item.task.draw == 0]
        seconds: list[list[float]] = [[] for _ in tasks]
        for size in sizes:
            data = run.data.first(size)
            for number, task in enumerate(tasks, 1):
                seconds[number - 1].append(measure(replace(task, data=data)).seconds)
                tell(sizes.index(size) * len(tasks) + number, len(sizes) * len(tasks))
    return [_cost(task, sizes, taken, images) for task, taken in zip(tasks, seconds, strict=True)]


def _cost(task: Task, sizes: list[int], seconds: list[float], images: int) -> Cost:
    condition = task.condition
    if len(sizes) == 1:
        whole = seconds[0] * images / sizes[0]
    else:
        slope = max(seconds[1] - seconds[0], 0) / (sizes[1] - sizes[0])
        whole = max(seconds[1] + slope * (images - sizes[1]), seconds[1])
    passes = kind_of(condition).cost(condition) * condition.draws * images
    return Cost(task.model.card.name, condition, passes, whole * condition.draws, whole / len(parts_of(task)))


def hours(costs: list[Cost], workers: int) -> float:
    """Of so many workers, each of which takes the next part that is open."""
    return max(sum(cost.seconds for cost in costs) / workers, max((cost.longest for cost in costs), default=0)) / 3600


def by_section(costs: list[Cost]) -> Iterator[tuple[str, list[Cost]]]:
    """The costs under the headings of the tables that will show the conditions."""
    for section in dict.fromkeys(kind_of(cost.condition).section for cost in costs):
        yield section, [cost for cost in costs if kind_of(cost.condition).section == section]
