"""An evaluation on the machines of a Ray cluster (extra ``ray``): they measure, and the driver alone writes the store.

An actor holds the prepared models, and takes one piece of work after the other: a part of the images of a search, or
of a measurement. Epsilons that are found together stay together. What an actor had when it died is measured by another.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from robench.core.errors import ForeignError, RobenchError
from robench.core.kinds import kind_of
from robench.core.optional import import_optional
from robench.core.types import Measurement
from robench.engine.task import Task
from robench.measure.measure import join, measure_part, parts_of
from robench.measure.portable import Parcel, packed, unpacked
from robench.measure.request import Request
from robench.measure.run import Run, open_run
from robench.measure.shards import search_of

LOCAL, PREFIX = "local", "ray"
INSTALL = "pip install 'robench[ray]'"
TRIES = 3
"""Machines that may die of one piece before it is given up."""
Outcome = tuple[int, int, Measurement | str]
"""Place in the work, number of the part, and what was measured there, or why the user's or a library's code failed."""


class Piece(NamedTuple):
    """What an actor is given: places in the work, all of one search, and which part of their images."""

    places: list[int]
    part: int


def is_engine(name: str) -> bool:
    """Whether it is ``ray`` or ``ray:ADDRESS``."""
    return name.partition(":")[0] == PREFIX


Done = Callable[[Task, Measurement], None]


def elsewhere(run: Run, request: Request, engine: str, gpus_per_task: float) -> Callable[[Done], None] | None:
    """What measures the pending work of a run on a cluster (see ``measure_on_cluster``); None for ``local``.

    Raises:
        RobenchError: there is no such engine.
    """
    if engine == LOCAL:
        return None
    if not is_engine(engine):
        raise RobenchError(f"the engine is local, ray or ray:ADDRESS, not {engine!r}.")
    return lambda done: measure_on_cluster(run, request, engine, done, gpus_per_task)


class Worker:
    """Holds the models of a request, in a process of its own.

    Args:
        parcel: the request.
        facts: what the driver has prepared (see ``facts_of``).
    """

    def __init__(self, parcel: Parcel, facts: Sequence[str]) -> None:
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._run = self._stack.enter_context(open_run(unpacked(parcel, folder)))
        if list(facts) != facts_of(self._run):
            raise RobenchError("a machine of the cluster has other images, models or versions than this one.")

    def ready(self) -> bool:
        """Whether it is there."""
        return True

    def measure(self, piece: Piece) -> list[Outcome]:
        """Measure some of the work."""
        found: list[Outcome] = []
        for place in piece.places:
            task = parts_of(self._run.work[place].task)[piece.part]
            try:
                found.append((place, piece.part, measure_part(task)))
            except ForeignError as error:
                found.append((place, piece.part, str(error)))
        return found


def facts_of(run: Run) -> list[str]:
    """What two machines must have in common."""
    names = [f"{model.card.name} {model.card.sha256 if model.card.test else ''}" for model in run.models]
    return [run.data.fingerprint, *names, *(f"{item.task.condition.key} {item.task.draw}" for item in run.work)]


def measure_on_cluster(
    run: Run,
    request: Request,
    engine: str,
    done: Done = lambda task, measurement: None,
    gpus_per_task: float = 0.0,
) -> None:
    """Measure what is pending on a cluster; each result is stored as it comes.

    Args:
        run: the evaluation, as it was opened here.
        request: what it was opened for.
        engine: ``ray`` for this machine's cores, or ``ray:ADDRESS`` for a cluster (``ray:auto`` for the one that this
            machine is a part of).
        done: hears of each measurement.
        gpus_per_task: of an actor, such as 0.5; each has one CPU besides.

    Raises:
        RobenchError: Ray is not installed, there is no such cluster, or what its machines have differs.
    """
    pieces = pieces_of(run)
    if not pieces:
        return
    with _connected(engine) as ray:
        count = _actors(ray, len(pieces), gpus_per_task)
        make = _maker(ray, packed(request), facts_of(run), gpus_per_task)
        for place, outcome in whole(run, _outcomes(ray, make, count, pieces)):
            item = run.work[place]
            if isinstance(outcome, str):
                done(item.task, run.failure(item, outcome))
            else:
                run.keep(item, outcome)
                done(item.task, outcome)


def whole(run: Run, outcomes: Iterable[Outcome]) -> Iterator[tuple[int, Measurement | str]]:
    """Each measurement as soon as all of its parts are there, or the first reason why there is none."""
    known: dict[int, dict[int, Measurement]] = {}
    failed = set[int]()
    for place, part, outcome in outcomes:
        if place in failed:
            continue
        if isinstance(outcome, str):
            failed.add(place)
            yield place, outcome
            continue
        known.setdefault(place, {})[part] = outcome
        if len(known[place]) == len(parts_of(run.work[place].task)):
            yield place, _joined(run.work[place].task, known.pop(place))


def _joined(task: Task, parts: Mapping[int, Measurement]) -> Measurement | str:
    try:
        return join(task, [parts[number] for number in sorted(parts)])
    except ForeignError as error:
        return str(error)


def pieces_of(run: Run) -> list[Piece]:
    """The pending work; the longest first, so that none is waited for."""
    pending = {id(item) for item in run.pending()}
    searches: dict[object, list[int]] = {}
    for place, item in enumerate(run.work):
        if id(item) in pending:
            searches.setdefault(search_of(item), []).append(place)
    found = [
        (_cost(task), Piece(places, number))
        for places in searches.values()
        for number, task in enumerate(parts_of(run.work[places[0]].task))
    ]
    return [piece for _, piece in sorted(found, key=lambda item: -item[0])]


def _cost(task: Task) -> int:
    return kind_of(task.condition).cost(task.condition) * len(task.images)


@contextmanager
def _connected(engine: str) -> Iterator[Any]:
    """The module, connected to a cluster for as long as the block lasts."""
    ray = import_optional("ray", INSTALL)
    _, _, address = engine.partition(":")
    mine = not ray.is_initialized()
    try:
        if mine:
            ray.init(address=address or None, log_to_driver=False, include_dashboard=None if address else False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"there is no Ray cluster at {address or 'this machine'}: {reason}") from error
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def _actors(ray: Any, pieces: int, gpus: float) -> int:
    has = ray.cluster_resources()
    room = int(has.get("CPU", 1))
    if gpus:
        room = min(room, int(has.get("GPU", 0) / gpus))
    if room < 1:
        raise RobenchError(f"the cluster has no room for a task with {gpus:g} GPUs; ask for less.")
    return min(room, pieces)


def _maker(ray: Any, parcel: Parcel, facts: Sequence[str], gpus: float) -> Callable[[], Any]:
    """What starts an actor; the parcel is put into the cluster once."""
    actor, held = ray.remote(num_cpus=1, num_gpus=gpus)(Worker), ray.put(parcel)
    paths = {"env_vars": {"PYTHONPATH": ":".join(path for path in sys.path if path)}}
    return lambda: actor.options(runtime_env=paths).remote(held, list(facts))


def _outcomes(ray: Any, make: Callable[[], Any], count: int, pieces: Sequence[Piece]) -> Iterator[Outcome]:
    """Each outcome as soon as it is there; what was with an actor that died goes to another."""
    waiting = list(enumerate(pieces))
    tried = [0] * len(pieces)
    running: dict[Any, tuple[Any, int]] = {}

    def give(actor: Any) -> None:
        if waiting:
            number, piece = waiting.pop(0)
            running[actor.measure.remote(piece)] = (actor, number)

    for _ in range(count):
        give(make())
    while running:
        (ready,), _ = ray.wait(list(running), num_returns=1)
        actor, number = running.pop(ready)
        try:
            yield from ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            raise _own(error) from error
        except ray.exceptions.RayActorError as error:
            if cause := getattr(error, "cause", None):  # its constructor failed
                raise _own(cause) from error
            tried[number] += 1
            if tried[number] == TRIES:
                raise RobenchError(
                    f"{TRIES} machines of the cluster died of the same work; see Ray's logs. What was measured is kept."
                ) from error
            waiting.insert(0, (number, pieces[number]))
            actor = make()
        give(actor)


def _own(error: Any) -> Exception:
    """The exception that was raised on the other machine, where it is robench's."""
    cause = getattr(error, "cause", error)
    if isinstance(cause, RobenchError):
        return RobenchError(str(cause).split("\n")[-1])
    reason = (str(cause).strip() or type(cause).__name__).splitlines()[-1]
    return RobenchError(f"a machine of the cluster failed: {reason[:300]}")
