"""A part of an evaluation for each of several machines, in a store of its own, and one store made of them."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.files import check_data_file, short
from robench.measure.plan import Planned
from robench.measure.store import Store

MOST = 100_000
AUTO = "auto"
NETWORKS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "afs", "9p")
"""File systems that several machines share, as ``/proc/mounts`` calls them."""


@dataclass(frozen=True)
class Shard:
    """Which part, counted from 1, of how many."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """``2/8``, or ``auto``: the place of this task in a job array of SLURM's.

    Raises:
        RobenchError: it is neither, or there is no job array.
    """
    if text == AUTO:
        try:
            task, first, last = (int(environment[f"SLURM_ARRAY_TASK_{name}"]) for name in ("ID", "MIN", "MAX"))
            step = int(environment.get("SLURM_ARRAY_TASK_STEP", "1"))
        except (KeyError, ValueError) as error:
            raise RobenchError(
                "--shard auto is for a job array of SLURM's (SLURM_ARRAY_TASK_ID); write I/N."
            ) from error
        return _checked(Shard((task - first) // step + 1, (last - first) // step + 1), text)
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None:
        raise RobenchError(f"--shard takes I/N, such as 2/8, or auto; not {short(text, 60)}.")
    return _checked(Shard(int(match[1]), int(match[2])), text)


def _checked(shard: Shard, text: str) -> Shard:
    if not 1 <= shard.number <= shard.count <= MOST:
        raise RobenchError(f"--shard {short(text, 60)} names no part: they count from 1/N to N/N.")
    return shard


def store_of(store: Path, shard: Shard) -> Path:
    """A shard's own store: ``runs/measurements.2-of-8.sqlite``."""
    return store.with_name(f"{store.stem}.{shard.number}-of-{shard.count}{store.suffix}")


def part_of(work: Sequence[Planned], shard: Shard) -> tuple[Planned, ...]:
    """The measurements of a shard: every N-th search, or measurement where none is shared.

    Epsilons that one search finds together stay together.
    """
    places: dict[object, int] = {}
    for item in work:
        places.setdefault(search_of(item), len(places))
    return tuple(item for item in work if places[search_of(item)] % shard.count == shard.number - 1)


def search_of(item: Planned) -> object:
    """What tells the search of a measurement from others': epsilons that are found together share one."""
    task = item.task
    condition = replace(task.condition, level=None) if task.condition.grid else task.condition
    return id(task.model), condition, task.draw


def plan_digest(work: Iterable[Planned]) -> str:
    """Of all that an evaluation is going to measure, on which data, models and seed."""
    return hashlib.sha256("\n".join(sorted(item.key for item in work)).encode()).hexdigest()


@dataclass(frozen=True)
class Merged:
    """What came of a merge.

    Attributes:
        measurements: in the new store.
        missing: shards of which no store was given.
    """

    measurements: int
    missing: tuple[Shard, ...]


def merge(stores: Sequence[Path], out: Path) -> Merged:
    """Copy the measurements of several stores into one.

    Args:
        stores: as ``robench evaluate --shard`` wrote them; others are taken, too.
        out: made where it is missing.

    Raises:
        RobenchError: a store is damaged; two are parts of different evaluations, or say different things of one
            measurement. Nothing is written then.
    """
    if out.resolve() in {path.resolve() for path in stores}:
        raise RobenchError(f"{out} is one of the stores that are merged; name another with --store.")
    for path in stores:
        check_data_file(path, "store")
    opened = [Store(path) for path in stores]
    plans = {plan for store in opened for plan, _ in store.shards()}
    if len(plans) > 1:
        raise RobenchError(
            "the stores are parts of different evaluations: they differ in model, images, suite, seed or versions; "
            "merge those of one."
        )
    rows = _agreeing([(path, store.rows()) for path, store in zip(stores, opened, strict=True)])
    target = Store(out)
    there = {row[0]: row for row in target.rows()}
    _agreeing([(out, list(there.values())), *((path, [row]) for path, row in rows.values())])
    target.put_rows([row for _, row in rows.values() if row[0] not in there])
    for plan, text in sorted({shard for store in opened for shard in store.shards()}):
        target.put_shard(plan, text)
    found = [parse_shard(text) for plan, text in target.shards() if plan in plans]
    missing = [Shard(n, found[0].count) for n in range(1, found[0].count + 1)] if found else []
    return Merged(len({*there, *rows}), tuple(shard for shard in missing if shard not in found))


Row = tuple[object, ...]


def _agreeing(sources: Sequence[tuple[Path, Sequence[Row]]]) -> dict[object, tuple[Path, Row]]:
    """The rows by key; RobenchError where two differ in more than the time that they took."""
    known: dict[object, tuple[Path, Row]] = {}
    for path, rows in sources:
        for row in rows:
            first = known.setdefault(row[0], (path, row))
            if _outcomes(first[1]) != _outcomes(row):
                raise RobenchError(
                    f"{first[0]} and {path} have different outcomes of {row[2]} on {row[1]}; measure it again in "
                    "one of them."
                )
    return known


def _outcomes(row: Row) -> Row:
    """A row but for its seconds, and the digest that they are in."""
    return (*row[:10], *row[11:13])


def on_a_network(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that a path is on, where several machines may share it; else ""."""
    try:
        table = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    except (OSError, IndexError):
        return ""
    place = path.absolute()
    holding = [(len(where), kind) for where, kind in table if place.is_relative_to(where)]
    kind = max(holding, default=(0, ""))[1]
    return kind if kind in NETWORKS else ""
