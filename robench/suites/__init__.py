"""Suites are data: TOML files here, or the user's own."""

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval, Len

from robench.core.errors import RobenchError
from robench.core.files import exists, short
from robench.core.gate import check_name, checked, read_toml
from robench.core.kinds import KINDS, kind_of
from robench.core.registry import did_you_mean
from robench.core.types import MOST_IMAGES, Condition, Seed, Suite, Value

FOLDER = Path(__file__).parent
MOST_DRAWS, MOST_CONDITIONS = 1000, 2000


@dataclass(frozen=True)
class SuiteFile:
    """A suite as it is written; each of ``conditions`` is a ``Block``, and ``twins`` is as for ``Suite``."""

    name: str
    version: Annotated[int, Interval(ge=0, le=10**6)]
    n_images: Annotated[int, Interval(ge=1, le=MOST_IMAGES)]
    seed: Seed
    conditions: Annotated[list[dict[str, Any]], Len(1)]
    twins: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "the name of a suite")


@dataclass(frozen=True)
class Block:
    """One of ``[[conditions]]``: each of the names at each of the levels."""

    kind: str
    names: Annotated[list[str], Len(1, MOST_CONDITIONS)]
    levels: Annotated[list[float | str], Len(1, MOST_CONDITIONS)] | None = None
    params: dict[str, Value] = field(default_factory=dict)
    draws: Annotated[int, Interval(ge=1, le=MOST_DRAWS)] = 1
    search: bool = False


def names() -> list[str]:
    """The suites that ship with robench."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """A shipped suite by name, or a TOML file by path; each of its conditions is checked.

    Raises:
        RobenchError: no such suite, or one with a key, a value or a condition that does not fit.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    if not exists(path):
        raise RobenchError(f"no suite is named {short(repr(name))}; {did_you_mean(name, names())}")
    where = f"the suite {path}"
    file = checked(SuiteFile, read_toml(path, "suite"), where)
    conditions = []
    for number, table in enumerate(file.conditions, start=1):
        place = f"{where}, conditions {number}"
        conditions += _expand(checked(Block, table, place), place)
        if len(conditions) > MOST_CONDITIONS:
            raise RobenchError(f"{place}: a suite has no more than {MOST_CONDITIONS:,} conditions; split it.")
    if len({c.key for c in conditions}) < len(conditions):
        raise RobenchError(f"{where} names a condition twice.")
    return Suite(file.name, file.version, file.n_images, file.seed, tuple(conditions), twins=file.twins)


def _expand(block: Block, where: str) -> list[Condition]:
    """The conditions of one block: each name at each level."""
    if block.kind not in KINDS:
        raise RobenchError(
            f"{where}: no kind of condition is named {block.kind!r}; {did_you_mean(block.kind, list(KINDS))}"
        )
    params = tuple(sorted(block.params.items()))
    levels = [None] if block.levels is None else [level_of(text, where) for text in block.levels]
    if block.search and None in levels:
        raise RobenchError(f"{where}: give levels for search.")
    grid = tuple(sorted(level for level in levels if level is not None)) if block.search else ()
    found = [Condition(block.kind, name, level, params, block.draws, grid) for name in block.names for level in levels]
    try:
        return [kind_of(condition).resolve(condition) for condition in found]
    except RobenchError as error:
        raise RobenchError(f"{where}: {error}") from error


def level_of(level: float | str, where: str) -> float:
    """A number, or a fraction such as "8/255".

    Args:
        level: as it is written.
        where: it is written, for the message.

    Raises:
        RobenchError: it is neither.
    """
    try:
        top, _, bottom = level.partition("/") if isinstance(level, str) else (level, "", "")
        value = float(top) / float(bottom or 1)
        if isfinite(value):
            return value
    except (ValueError, ArithmeticError):
        pass
    raise RobenchError(
        f'{where}: a level must be a number, or a fraction such as "8/255", not {short(repr(level), 60)}.'
    )
