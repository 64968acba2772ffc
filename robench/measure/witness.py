"""Witnesses on disk: one file for each search, found by what it is about."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robench.core.arrays import npz_names, read_npz
from robench.core.errors import RobenchError
from robench.core.files import exists, file_name, whole
from robench.core.types import Condition
from robench.engine.task import Task

ABOUT = "about"
"""The array that says of which model, images and search a file is."""


def path_of(task: Task, folder: Path) -> Path:
    """Where the witness of a task is; that of tasks that differ in the epsilon of one grid is the same."""
    about = _about(task)
    digest = hashlib.sha256(about.encode()).hexdigest()[:12]
    parts = [task.model.card.name, task.data.name, task.condition.name]
    return folder / f"{'.'.join(file_name(part) for part in parts)}.{digest}.npz"


def write(task: Task, arrays: Mapping[str, npt.NDArray], folder: Path) -> Path:
    """Write a witness, whole or not at all; one that is there stays.

    Raises:
        RobenchError: the folder cannot be written.
    """
    path = path_of(task, folder)
    if exists(path):
        return path
    everything: dict[str, Any] = {**arrays, ABOUT: np.array(_about(task))}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole(path) as draft, draft.open("wb") as file:
            np.savez_compressed(file, **everything)
    except OSError as error:
        raise RobenchError(
            f"no witness can be written to {folder} ({error.strerror}); name another folder with --witness."
        ) from error
    return path


def read(task: Task, folder: Path) -> dict[str, npt.NDArray] | None:
    """The witness of a task; None where there is none.

    Raises:
        RobenchError: it is damaged, or of another model, other images or another search.
    """
    path = path_of(task, folder)
    if not exists(path):
        return None
    arrays = read_npz(path, npz_names(path, "witness"), "witness")
    if str(arrays.pop(ABOUT, "")) != _about(task):
        raise RobenchError(f"the witness {path} is of another model, other images or another search.")
    return arrays


def _about(task: Task) -> str:
    condition = task.condition
    search = Condition(condition.kind, condition.name, None if condition.grid else condition.level, condition.params)
    return json.dumps(
        {
            "model": task.model.card.sha256,
            "images": task.data.fingerprint,
            "search": search.key,
            "grid": condition.grid,
            "draw": task.draw,
            "seed": task.seed,
        },
        sort_keys=True,
    )
