"""Where models are: zoos of one's own in front of the shipped one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.files import exists, expanded, short

VARIABLE = "ROBENCH_ZOO"
"""Names folders as ``PATH`` does, with ``:`` between them (``;`` on Windows)."""
_FIRST: ContextVar[Path | None] = ContextVar("zoo in front of all others", default=None)


def root() -> Path:
    """The folder of the shipped zoo: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parents[1] / "_zoo"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "zoo"


def of_variable() -> list[Path]:
    """The zoos that ``$ROBENCH_ZOO`` names; there need not be such folders."""
    return [expanded(Path(text)) for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]


def roots() -> list[Path]:
    """The zoos in the order in which a name is looked up: given for this block, ``$ROBENCH_ZOO``, shipped.

    Raises:
        RobenchError: one of them is no folder.
    """
    own = of_variable()
    for folder in own:
        if not exists(folder, Path.is_dir):
            raise RobenchError(f"${VARIABLE} names {short(folder)}, which is no folder; correct or unset it.")
    first = _FIRST.get()
    return list(dict.fromkeys([*([first] if first else []), *own, root()]))


@contextmanager
def in_front(folder: Path | None) -> Iterator[None]:
    """As long as the block lasts, models are looked for in ``folder`` first; None changes nothing.

    Raises:
        RobenchError: there is no such folder.
    """
    if folder is not None and not exists(folder, Path.is_dir):
        raise RobenchError(f"there is no zoo {short(folder)}: no such folder; make one with: robench zoo add --zoo.")
    token = _FIRST.set(folder or _FIRST.get())
    try:
        yield
    finally:
        _FIRST.reset(token)


def folders() -> dict[str, dict[str, Path]]:
    """Data set -> name of a model -> its folder, in the first zoo that has one of that name."""
    found: dict[str, dict[str, Path]] = {}
    for place in roots():
        for card in sorted(place.glob("*/*/card.toml")):
            found.setdefault(card.parts[-3], {}).setdefault(card.parts[-2], card.parent)
    return {dataset: dict(sorted(models.items())) for dataset, models in sorted(found.items())}


def names() -> dict[str, list[str]]:
    """Data set -> the models that there are for it."""
    return {dataset: list(models) for dataset, models in folders().items()}


def find(name: str, dataset: str) -> Path | None:
    """The folder of a model for a data set in the first zoo that has it; ``dataset/model`` names another set's.

    None if no zoo has it.
    """
    places = (folder for place in roots() for folder in (place / dataset / name, place / name))
    return next((folder for folder in places if exists(folder / "card.toml")), None)
