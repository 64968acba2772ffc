"""Suites are data: TOML files here, or the user's own."""

import tomllib
from pathlib import Path
from typing import Any

from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean
from robench.core.types import KINDS, Condition, Suite

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The suites that ship with robench."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Suite:
    """A shipped suite by name, or a TOML file by path.

    Raises:
        RobenchError: no such suite, or one that is not well formed.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    if not path.is_file():
        raise RobenchError(f"no suite is named {name!r}; {did_you_mean(name, names())}")
    try:
        table = tomllib.loads(path.read_text())
        conditions = [c for block in table["conditions"] for c in _expand(block)]
        suite = Suite(table["name"], table["version"], table["n_images"], table["seed"], tuple(conditions))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RobenchError(f"the suite {path} is not well formed: {error}.") from error
    if len({c.key for c in conditions}) < len(conditions):
        raise RobenchError(f"the suite {path} names a condition twice.")
    return suite


def _expand(block: dict[str, Any]) -> list[Condition]:
    if block["kind"] not in KINDS:
        raise RobenchError(
            f"no kind of condition is named {block['kind']!r}; {did_you_mean(block['kind'], list(KINDS))}"
        )
    params = tuple(sorted(block.get("params", {}).items()))
    levels = [_level(text) for text in block.get("levels", [None])]
    draws = block.get("draws", 1)
    grid = tuple(sorted(level for level in levels if level is not None)) if block.get("search") else ()
    return [Condition(block["kind"], name, level, params, draws, grid) for name in block["names"] for level in levels]


def _level(text: str | float | None) -> float | None:
    """A number, or a fraction such as "8/255"."""
    if text is None or isinstance(text, int | float):
        return text
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)
