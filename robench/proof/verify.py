"""Is what a card says measured again when it is measured again? A random sample of it, image by image."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Measurement, ResultCard
from robench.engine.task import Task
from robench.measure.measure import measure
from robench.proof.again import Again
from robench.results.cards import OUTCOMES

LEAST = 1
"""Images that may differ in every measurement: kernels add in another order on another machine."""
OWN_FACTS = ("name", "test", "training", "source")
"""Of a model card: what its weights do not decide, and what a card may leave out."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One measurement, as the card has it and as it was measured again.

    Attributes:
        measurement: the card's.
        again: ours.
        differing: images of which the outcomes differ.
        allowed: so many may.
    """

    measurement: Measurement
    again: Measurement
    differing: int
    allowed: int

    @property
    def complaint(self) -> str:
        """What is wrong; "" where nothing is."""
        label = kind_of(self.measurement.condition).label(self.measurement.condition)
        if self.measurement.total != self.again.total:
            return f"{label}: the card has {self.measurement.total} outcomes, and {self.again.total} are measured"
        if self.differing > self.allowed:
            return f"{label}: {self.differing} images differ, and {self.allowed} may"
        missing = _heads(self.again) - _heads(self.measurement)
        if missing:
            return f"{label}: the card lacks the flag {', '.join(sorted(missing))}"
        return ""


def sample(pairs: Sequence[tuple[Measurement, Task]], share: float, seed: int | None) -> list[tuple[Measurement, Task]]:
    """A share of the measurements, one of each kind of condition at least.

    Args:
        pairs: all of them.
        share: in (0, 1].
        seed: None for a choice that nobody can foresee.

    Raises:
        RobenchError: the share is no share.
    """
    if not 0 < share <= 1:
        raise RobenchError(f"the share must be above 0 and at most 1, not {share}.")
    rng = random.Random(seed) if seed is not None else random.SystemRandom()  # noqa: S311 (the first for tests)
    shuffled = rng.sample(list(pairs), len(pairs))
    first = {pair[0].condition.kind: pair for pair in reversed(shuffled)}
    count = math.ceil(share * len(shuffled))
    rest = [pair for pair in shuffled if pair not in first.values()]
    chosen = [*first.values(), *rest][: max(count, len(first))]
    order = {id(measurement): place for place, (measurement, _) in enumerate(pairs)}
    return sorted(chosen, key=lambda pair: order[id(pair[0])])


def compare_again(
    pairs: Sequence[tuple[Measurement, Task]], done: Callable[[int, int], None] = lambda finished, total: None
) -> Iterator[Comparison]:
    """Measure what was chosen, one after the other; ``done`` hears how many of how many are."""
    for finished, (measurement, task) in enumerate(pairs, 1):
        ours = measure(task)
        yield Comparison(measurement, ours, _differing(measurement, ours), _allowed(measurement))
        done(finished, len(pairs))


def model_differences(work: Again) -> Iterator[str]:
    """Sentences about what the card says of its model, and the model does not."""
    said, found = asdict(work.card.model), asdict(work.model.card)
    for name, value in found.items():
        if name not in OWN_FACTS and said[name] != value:
            yield f"it says {name} = {said[name]!r} of its model, which has {value!r}"
    yield from _twin(work.card)


def _twin(card: ResultCard) -> Iterator[str]:
    name, sha256 = card.twin
    folder = zoo.find(name, card.data.name) if name else None
    if folder is not None and zoo.read_card(folder).sha256 != sha256:
        yield f"its twin {name} has other weights in the zoo"


def _differing(first: Measurement, second: Measurement) -> int:
    if first.total != second.total:
        return max(first.total, second.total)
    pairs = [(getattr(first, kind), getattr(second, kind)) for kind in OUTCOMES]
    return max(int((a != b).sum()) if len(a) == len(b) else len(a) + len(b) for a, b in pairs)


def _allowed(measurement: Measurement) -> int:
    share = kind_of(measurement.condition).tolerance(measurement.condition)
    return max(LEAST, math.floor(share * measurement.total))


def _heads(measurement: Measurement) -> set[str]:
    """The flags without their numbers, which differ between machines."""
    return {flag.partition(":")[0] for flag in measurement.flags}
