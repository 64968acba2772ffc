import sqlite3
from pathlib import Path

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.types import Condition, Measurement
from robench.measure.store import Store

KEY = "0123abc"
CONDITION = Condition("attack", "pgd", 8 / 255, (("steps", 20),))


def measurement(count: int = 11) -> Measurement:
    rng = np.random.default_rng(0)
    top1, top5, rounded = (rng.random(count) < share for share in (0.5, 0.9, 0.6))
    distance = rng.random(count).astype(np.float32)
    return Measurement(CONDITION, 2, top1, top5, ("a flag",), 1.5, rounded, distance)


def test_what_is_put_is_found_by_another_process(tmp_path: Path) -> None:
    Store(tmp_path / "deep" / "s.sqlite").put(KEY, "net", measurement())
    found = Store(tmp_path / "deep" / "s.sqlite").get(KEY, CONDITION, 2)
    assert found is not None
    assert np.array_equal(found.top1, measurement().top1)
    assert np.array_equal(found.top5, measurement().top5)
    assert np.array_equal(found.rounded, measurement().rounded)
    assert np.array_equal(found.distance, measurement().distance)
    assert (found.flags, found.seconds, found.condition) == (("a flag",), 1.5, CONDITION)


def test_another_key_is_not_found() -> None:
    store = Store(None)
    store.put(KEY, "net", measurement())
    assert store.get("another", CONDITION, 2) is None


def test_not_applicable_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.put(KEY, "net", measurement(0))
    found = store.get(KEY, CONDITION, 2)
    assert found is not None
    assert found.total == 0


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table measurements (a)")
        connection.execute("pragma user_version = 99")
    with pytest.raises(RobenchError, match="is of version 99"):
        Store(path)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("this is not a database, and long enough to be looked at" * 10)
    with pytest.raises(RobenchError, match="is no store of measurements"):
        Store(path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RobenchError, match="name another file with --store"):
        Store(tmp_path / "file" / "s.sqlite")


def test_a_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.put(KEY, "net", measurement())
    store._connection.execute("pragma max_page_count = 3")
    with pytest.raises(RobenchError, match="What it holds already is safe"):
        store.put("other", "net", measurement(200_000))
    assert Store(tmp_path / "s.sqlite").get(KEY, CONDITION, 2) is not None
