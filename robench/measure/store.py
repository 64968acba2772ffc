"""Measurements as they come: one SQLite file, written after each, so that nothing measured is ever lost."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from robench.core.bits import pack, unpack
from robench.core.errors import RobenchError
from robench.core.types import Condition, Measurement

VERSION = 6
APPLICATION = 0x726F6265
"""Marks an SQLite file as a store of robench's: "robe"."""
SQLITE = b"SQLite format 3\0"
WAIT = 30
"""Seconds that another run may hold the file."""
TABLE = """
create table if not exists measurements (
    key text primary key, model text, condition text, draw integer,
    total integer, top1 blob, top5 blob, rounded blob, distance blob, flags text, seconds real,
    numbers text, path text, digest text
)
"""
SHARDS = "create table if not exists shards (plan text, shard text, primary key (plan, shard))"
"""Of which evaluation (a digest of its keys) a store has which part."""


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
                _check_place(path)
            self._connection = sqlite3.connect(path or ":memory:", timeout=WAIT)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        with self._guard() as connection:
            marks = [connection.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version")]
            tables = {name for (name,) in connection.execute("select name from sqlite_master")}
            if tables and (marks[0] not in (0, APPLICATION) or "measurements" not in tables):
                raise RobenchError(f"{path} is a database of another program; name another file with --store.")
            if tables and marks != [APPLICATION, VERSION]:
                raise RobenchError(
                    f"the store {path} is of version {marks[1]}, this robench writes version {VERSION}; "
                    "name another file with --store."
                )
            connection.execute(TABLE)
            connection.execute(SHARDS)
            connection.execute(f"pragma application_id = {APPLICATION}")
            connection.execute(f"pragma user_version = {VERSION}")

    def _error(self, error: Exception) -> RobenchError:
        if "locked" in str(error):
            return RobenchError(
                f"another program has had the store {self.path} in use for {WAIT} s; wait for its end, or name another "
                "file with --store."
            )
        if "not a database" in str(error) or "malformed" in str(error):
            return RobenchError(f"the store {self.path} is damaged ({error}); name another file with --store.")
        return RobenchError(
            f"the store {self.path} cannot be read or written ({error}); make it writable, free space, or name another "
            "file with --store. What it holds already is safe."
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
            json.dumps(measurement.numbers),
            json.dumps(measurement.path),
        )
        with self._guard() as connection:
            slots = ", ".join("?" * (len(row) + 1))
            connection.execute(f"insert or replace into measurements values ({slots})", (*row, _digest(row)))  # noqa: S608

    def get(self, key: str, condition: Condition, draw: int) -> Measurement | None:
        """The measurement that is stored under a key, or None.

        Raises:
            RobenchError: its row is not what was written.
        """
        with self._guard() as connection:
            row = connection.execute("select * from measurements where key = ?", (key,)).fetchone()
        if row is None:
            return None
        *written, digest = row
        if digest != _digest(tuple(written)):
            raise RobenchError(
                f"the store {self.path} is damaged: the measurement of {condition.key} is not as it was written; "
                "name another file with --store."
            )
        total, *outcomes, distance, flags, seconds, numbers, path = written[4:]
        top1, top5, rounded = (unpack(packed, total if packed else 0) for packed in outcomes)
        distances = np.frombuffer(distance, np.float32)
        return Measurement(
            condition,
            draw,
            top1,
            top5,
            tuple(json.loads(flags)),
            seconds,
            rounded,
            distances,
            tuple((name, number) for name, number in json.loads(numbers)),
            tuple((changes, correct) for changes, correct in json.loads(path)),
        )

    def rows(self) -> list[tuple[object, ...]]:
        """Every row as it was written.

        Raises:
            RobenchError: one is not.
        """
        with self._guard() as connection:
            rows = connection.execute("select * from measurements order by key").fetchall()
        for row in rows:
            if row[-1] != _digest(tuple(row[:-1])):
                raise RobenchError(
                    f"the store {self.path} is damaged: the measurement of {row[2]} is not as it was written."
                )
        return rows

    def put_rows(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Write rows of another store, all or none."""
        with self._guard() as connection:
            slots = ", ".join("?" * 14)
            connection.executemany(f"insert into measurements values ({slots})", rows)  # noqa: S608

    def shards(self) -> list[tuple[str, str]]:
        """(digest of an evaluation, ``2/8``) of each part that was measured into it."""
        with self._guard() as connection:
            return connection.execute("select plan, shard from shards order by plan, shard").fetchall()

    def put_shard(self, plan: str, shard: str) -> None:
        """Write down that a part of an evaluation is in it."""
        with self._guard() as connection:
            connection.execute("insert or ignore into shards values (?, ?)", (plan, shard))

    def close(self) -> None:
        """Close the file; what was put is there."""
        self._connection.close()


def _check_place(path: Path) -> None:
    """Make the folder of a store; RobenchError where its file is there and is none."""
    if str(path).startswith((":", "file:")):
        raise RobenchError(f"{path} names no file; name one with --store, such as runs/measurements.sqlite.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return
    if not path.is_file():
        raise RobenchError(f"{path} is no file; name another with --store.")
    with path.open("rb") as file:
        start = file.read(len(SQLITE))
    if start not in (b"", SQLITE):
        raise RobenchError(f"{path} is there, and is no store of measurements; name another file with --store.")


def _digest(row: tuple[object, ...]) -> str:
    """Of what is written: a row that was cut short or edited is not handed out."""
    return hashlib.sha256(repr(row).encode()).hexdigest()
