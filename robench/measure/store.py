"""Measurements as they come: one SQLite file, written after each, so that nothing measured is ever lost."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from robench.core.bits import pack, unpack
from robench.core.errors import RobenchError
from robench.core.types import Condition, Measurement

VERSION = 4
TABLE = """
create table if not exists measurements (
    key text primary key, model text, condition text, draw integer,
    total integer, top1 blob, top5 blob, rounded blob, distance blob, flags text, seconds real
)
"""


class Store:
    """One SQLite file of measurements.

    Args:
        path: created where it is missing, with its folder; None keeps everything in memory.

    Raises:
        RobenchError: the file cannot be written, is no store, or is one of another version.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or ":memory:", timeout=30)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        with self._guard() as connection:
            version = connection.execute("pragma user_version").fetchone()[0]
            empty = not connection.execute("select count(*) from sqlite_master").fetchone()[0]
            if not empty and version != VERSION:
                raise RobenchError(
                    f"the store {path} is of version {version}, this robench writes version {VERSION}; "
                    "name another file with --store."
                )
            connection.execute(TABLE)
            connection.execute(f"pragma user_version = {VERSION}")

    def _error(self, error: Exception) -> RobenchError:
        return RobenchError(
            f"the store {self.path} cannot be read or written ({error}); free space or name another file with --store. "
            "What it holds already is safe."
        )

    @contextmanager
    def _guard(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise self._error(error) from error

    def put(self, key: str, model: str, measurement: Measurement) -> None:
        """Write one measurement; it is on disk when this returns.

        Args:
            key: what it is found by (see ``robench.measure.key``).
            model: name of the model, for people who look into the file.
            measurement: what was measured.
        """
        row = (
            key,
            model,
            measurement.condition.key,
            measurement.draw,
            measurement.total,
            pack(measurement.top1),
            pack(measurement.top5),
            pack(measurement.rounded),
            measurement.distance.tobytes(),
            json.dumps(measurement.flags),
            measurement.seconds,
        )
        with self._guard() as connection:
            connection.execute("insert or replace into measurements values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def get(self, key: str, condition: Condition, draw: int) -> Measurement | None:
        """The measurement that is stored under a key, or None."""
        with self._guard() as connection:
            row = connection.execute(
                "select total, top1, top5, rounded, distance, flags, seconds from measurements where key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        total, *outcomes, distance, flags, seconds = row
        top1, top5, rounded = (unpack(packed, total if packed else 0) for packed in outcomes)
        distances = np.frombuffer(distance, np.float32)
        return Measurement(condition, draw, top1, top5, tuple(json.loads(flags)), seconds, rounded, distances)

    def close(self) -> None:
        """Close the file; what was put is there."""
        self._connection.close()
