"""Suites are data: TOML files here, or the user's own."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robench.core.errors import RobenchError
from robench.core.kinds import KINDS, kind_of
from robench.core.registry import did_you_mean
from robench.core.types import Condition, Suite, Value

FOLDER = Path(__file__).parent
SUITE_KEYS = {"name": str, "version": int, "n_images": int, "seed": int, "conditions": list}
BLOCK_KEYS = {"kind": str, "names": list, "levels": list, "params": dict, "draws": int, "search": bool}
REQUIRED = ("kind", "names")


def names() -> list[str]:
    """The suites that ship with robench."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """A shipped suite by name, or a TOML file by path; each of its conditions is checked.

    Raises:
        RobenchError: no such suite, or one with a key, a value or a condition that does not fit.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    if not path.is_file():
        raise RobenchError(f"no suite is named {name!r}; {did_you_mean(name, names())}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RobenchError(f"the suite {path} is not TOML: {error}.") from error
    where = f"the suite {path}"
    _check(table, SUITE_KEYS, tuple(SUITE_KEYS), where)
    if table["n_images"] < 1 or table["seed"] < 0 or not table["conditions"]:
        raise RobenchError(f"{where} needs n_images >= 1, seed >= 0 and at least one of [[conditions]].")
    conditions = []
    for number, block in enumerate(table["conditions"], start=1):
        conditions += _expand(block, f"{where}, conditions {number}")
    if len({c.key for c in conditions}) < len(conditions):
        raise RobenchError(f"{where} names a condition twice.")
    return Suite(table["name"], table["version"], table["n_images"], table["seed"], tuple(conditions))


def _check(table: Any, keys: Mapping[str, type], required: tuple[str, ...], where: str) -> None:
    """Raise RobenchError where a table has an unknown key, lacks one, or holds a value of another type."""
    if not isinstance(table, dict):
        raise RobenchError(f"{where}: this must be a table with the keys {', '.join(keys)}.")
    for key, value in table.items():
        if key not in keys:
            raise RobenchError(f"{where}: there is no key {key!r}; {did_you_mean(key, list(keys))}")
        if not isinstance(value, keys[key]) or (isinstance(value, bool) and keys[key] is int):
            raise RobenchError(f"{where}: {key} must be {_in_words(keys[key])}, not {value!r}.")
    for key in required:
        if key not in table:
            raise RobenchError(f"{where}: missing key {key!r}.")


def _in_words(kind: type) -> str:
    words = {str: "text in quotes", int: "a whole number", list: "a list", dict: "a table", bool: "true or false"}
    return words[kind]


def _expand(block: dict[str, Any], where: str) -> list[Condition]:
    """The conditions of one block: each name at each level."""
    _check(block, BLOCK_KEYS, REQUIRED, where)
    kind, names_, draws, search = block["kind"], block["names"], block.get("draws", 1), block.get("search", False)
    if kind not in KINDS:
        raise RobenchError(f"{where}: no kind of condition is named {kind!r}; {did_you_mean(kind, list(KINDS))}")
    if not names_ or not all(isinstance(name, str) for name in names_):
        raise RobenchError(f'{where}: names must be a list such as ["pgd"], not {names_!r}.')
    if draws < 1:
        raise RobenchError(f"{where}: draws must be a whole number >= 1, not {draws}.")
    params = tuple(sorted(block.get("params", {}).items()))
    for name, value in params:
        if not isinstance(value, Value):
            raise RobenchError(f"{where}: the parameter {name} must be a number, text, true or false, not {value!r}.")
    levels = [_level(text, where) for text in block["levels"]] if "levels" in block else [None]
    if not levels or (search and None in levels):
        raise RobenchError(f"{where}: give at least one of levels{' for search' if search else ''}.")
    grid = tuple(sorted(level for level in levels if level is not None)) if search else ()
    found = [Condition(kind, name, level, params, draws, grid) for name in names_ for level in levels]
    try:
        return [kind_of(condition).resolve(condition) for condition in found]
    except RobenchError as error:
        raise RobenchError(f"{where}: {error}") from error


def _level(level: Any, where: str) -> float:
    """A number, or a fraction such as "8/255"."""
    try:
        if isinstance(level, str):
            top, slash, bottom = level.partition("/")
            return float(top) / float(bottom) if slash else float(top)
        if isinstance(level, int | float) and not isinstance(level, bool):
            return level
    except (ValueError, ZeroDivisionError):
        pass
    raise RobenchError(f'{where}: a level must be a number, or a fraction such as "8/255", not {level!r}.')
