"""Attacks of robench and of other libraries, each of which looks for the smallest perturbation with so many passes."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from ledger import Counted, Ledger

from robench import suites
from robench.attacks.apply import attempt
from robench.attacks.bare import TimeLimit
from robench.attacks.measure import search
from robench.core.types import Condition, Value
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task, clean_outcomes
from robench.engine.verdict import to_pixels

ROUNDS = 6
"""Of halving what is open: attacks of a fixed budget try one of 2**6 - 1 epsilons in each."""
BLOCK = 64
BATCH = 512
Distances = npt.NDArray[np.float64]


class Found(NamedTuple):
    """What an attack found: smallest distances (Linf) and passes, both [N], and seconds of wall time."""

    distances: Distances
    passes: npt.NDArray[np.float64]
    seconds: float


def levels(largest: float) -> tuple[float, ...]:
    """The epsilons that are tried."""
    count = 2**ROUNDS
    return tuple(largest * number / count for number in range(1, count))


@dataclass(frozen=True)
class Peer:
    """An attack of another library.

    Attributes:
        name: as robench's adapters call it.
        steps: what the library calls their number.
        runs: gradient steps of each, such as one for each target class.
        minimal: it looks for the smallest perturbation by itself.
        params: further settings, from epsilon and the number of steps.
    """

    name: str
    steps: str
    runs: int = 1
    minimal: bool = False
    params: Callable[[float, int], dict[str, Value]] = field(default=lambda epsilon, steps: {})
    note: str = ""

    def condition(self, epsilon: float, passes: int) -> Condition:
        """As many steps as the passes allow: one forward and one backward each."""
        steps = max(passes // (2 * self.runs * (1 if self.minimal else ROUNDS)), 1)
        params = {self.steps: steps, **self.params(epsilon, steps)}
        return Condition("attack", self.name, epsilon, tuple(sorted(params.items())))


def _fixed(**params: Value) -> Callable[[float, int], dict[str, Value]]:
    return lambda epsilon, steps: dict(params)


PEERS: Mapping[str, Peer] = {
    "adv_lib APGD, cross-entropy": Peer("adv_lib:apgd", "n_iter", params=_fixed(loss_function="ce")),
    "adv_lib APGD, DLR": Peer("adv_lib:apgd", "n_iter", params=_fixed(loss_function="dlr")),
    "adv_lib APGD-T, 3 targets": Peer("adv_lib:apgd_targeted", "n_iter", 3, params=_fixed(num_targets=3)),
    "adv_lib FMN": Peer("adv_lib:fmn", "steps", minimal=True),
    "adv_lib PDPGD": Peer("adv_lib:pdpgd", "num_steps", minimal=True),
    "foolbox BIM": Peer("foolbox:LinfBasicIterativeAttack", "steps"),
    "foolbox PGD": Peer(
        "foolbox:LinfPGD", "steps", params=lambda epsilon, steps: {"rel_stepsize": 2.5 / max(steps, 3)}
    ),
    "foolbox FMN": Peer("foolbox:LInfFMNAttack", "steps", minimal=True),
    "torchattacks PGD": Peer(
        "torchattacks:PGD", "steps", params=lambda epsilon, steps: {"alpha": 2.5 * epsilon / max(steps, 3)}
    ),
    "torchattacks APGD": Peer("torchattacks:APGD", "steps"),
    "torchattacks APGD-T, 9 targets": Peer("torchattacks:APGDT", "steps", 9),
    "torchattacks FAB": Peer("torchattacks:FAB", "steps", minimal=True),
}


def of_peer(peer: Peer, subject: ModelUnderTest, data: Dataset, largest: float, passes: int) -> Found:
    """Run a library's attack on the bare model, block by block."""
    x, y = to_pixels(data.images, torch.device("cpu")), torch.from_numpy(data.labels)
    ledger = Ledger(x, y, largest, passes)
    model = Counted(subject.original.model, ledger)
    started = time.perf_counter()
    with torch.no_grad():
        for block in torch.arange(len(x)).split(BLOCK):
            model(x[block])
    ledger.spent[:] = 0
    if peer.minimal:
        for block in np.split(np.flatnonzero(ledger.smallest > 0), range(BLOCK, len(x), BLOCK)):
            _strike(peer.condition(largest, passes), model, x, y, block)
    else:
        _halve(peer, model, x, y, largest, passes)
    return Found(ledger.smallest, ledger.spent, time.perf_counter() - started)


def _halve(peer: Peer, model: Counted, x: torch.Tensor, y: torch.Tensor, largest: float, passes: int) -> None:
    """Try each image at the middle of what is open, in blocks of one epsilon."""
    grid = np.array(levels(largest))
    low, high = np.full(len(x), -1), np.full(len(x), len(grid))
    for _ in range(ROUNDS):
        high = np.minimum(high, np.searchsorted(grid, model.ledger.smallest - 1e-7))
        middle = (low + high) // 2
        for level in np.unique(middle[high - low > 1]):
            chosen = np.flatnonzero((middle == level) & (high - low > 1))
            for start in range(0, len(chosen), BLOCK):
                _strike(peer.condition(float(grid[level]), passes), model, x, y, chosen[start : start + BLOCK])
        stood = (high - low > 1) & (model.ledger.smallest > grid[np.clip(middle, 0, len(grid) - 1)] + 1e-7)
        low = np.where(stood, middle, low)


def _strike(condition: Condition, model: Counted, x: torch.Tensor, y: torch.Tensor, chosen: np.ndarray) -> None:
    """Attack some images; the ledger sees what comes out."""
    if not len(chosen):
        return
    result = attempt(model, x[chosen], y[chosen], condition, 0, images=chosen.tolist(), limit=TimeLimit()).images
    with torch.no_grad():
        model(result)


def protocol(largest: float) -> Iterator[Condition]:
    """The gradient attacks of robench-adv in Linf, over its own epsilons, or as many up to a larger one."""
    for condition in dict.fromkeys(replace(c, level=None) for c in suites.load("robench-adv").conditions):
        if condition.setting("norm") != "l2" and condition.setting("steps"):
            factor = max(largest / condition.grid[-1], 1.0)
            yield replace(condition, grid=tuple(factor * level for level in condition.grid))


def finely(condition: Condition, largest: float, steps: int) -> Condition:
    """The same over the epsilons that are tried here, with so many steps at each."""
    return replace(
        condition, params=tuple(sorted({**dict(condition.params), "steps": steps}.items())), grid=levels(largest)
    )


def of_robench(conditions: list[Condition], subject: ModelUnderTest, data: Dataset, largest: float) -> Found:
    """Run searches of robench's, one after the other, each on all images."""
    x, y = to_pixels(data.images, torch.device("cpu")), torch.from_numpy(data.labels)
    ledger = Ledger(x, y, largest, beyond=False)
    subject = replace(subject, memory={})
    subject.smooth()  # before passes are counted: the copy is traced from the model
    started = time.perf_counter()
    for form, verdicts in _forms(subject):
        form.model = Counted(form.model, ledger, verdicts=verdicts)
    try:
        clean, _ = clean_outcomes(Task(subject, data, conditions[0], 0, 0, BATCH))
        ledger.spent[:] = 0
        smallest = np.where(clean, np.inf, 0.0)
        for condition in conditions:
            found = search(Task(subject, data, condition, 0, 0, BATCH), lambda done, correct: None)
            smallest = np.minimum(
                smallest, np.where(clean, np.array([*condition.grid, np.inf])[found.top1.sum(0)], 0.0)
            )
    finally:
        for form, _ in _forms(subject):
            form.model = form.model.model
    return Found(np.minimum(smallest, ledger.smallest), ledger.spent, time.perf_counter() - started)


def _forms(subject: ModelUnderTest) -> list[tuple[Blocked, bool]]:
    """Every copy that a search asks, each once, and whether it gives verdicts."""
    lent = [subject.source.gradients, subject.source.second_gradients] if subject.source else []
    own = [subject.original, subject.exact, subject.gradients, subject.second_gradients, subject.smooth()]
    copies = {id(form): form for form in (*own, *lent) if form is not None}
    return [(form, form in (subject.original, subject.exact)) for form in copies.values()]
