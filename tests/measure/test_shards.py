"""Parts of an evaluation, merged, are the evaluation; parts of different ones are refused."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.types import Measurement
from robench.measure.run import Request, open_run
from robench.measure.shards import Shard, merge, on_a_network, parse_shard
from robench.measure.store import Store
from robench.suites.one_line import suite_of

SUITE = suite_of({"attack": ["fgsm@8/255"], "distortion": ["gaussian@0.2,draws=3"], "corruption": ["speckle@2"]})
REQUEST = Request(("tr_none_c",), "digits", SUITE, n_images=24)


def measured(store: Path, shard: str = "", request: Request = REQUEST) -> list[Measurement]:
    with open_run(replace(request, store=store, shard=shard)) as run:
        run.measure(run.pending())
        return list(run.card(run.requested[0]).measurements)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    store = tmp_path_factory.mktemp("shards") / "m.sqlite"
    for number in (1, 2, 3):
        measured(store, f"{number}/3")
    return sorted(store.parent.glob("m.*-of-3.sqlite"))


def test_merged_is_what_one_run_measures(shards: list[Path], tmp_path: Path) -> None:
    counts = [len(Store(path).rows()) for path in shards]
    assert sum(counts) == 2 * 6  # the twin's as well
    assert min(counts) >= 3
    merged = merge(shards, tmp_path / "all.sqlite")
    assert (merged.measurements, merged.missing) == (12, ())
    with open_run(replace(REQUEST, store=tmp_path / "all.sqlite")) as run:
        assert run.pending() == []
        together = run.card(run.requested[0]).measurements
    for ours, alone in zip(together, measured(tmp_path / "one.sqlite"), strict=True):
        assert ours.condition == alone.condition
        assert np.array_equal(ours.top1, alone.top1)
        assert ours.flags == alone.flags
    assert merge(shards, tmp_path / "all.sqlite").measurements == 12  # once more changes nothing


def test_shards_that_are_missing_are_named(shards: list[Path], tmp_path: Path) -> None:
    assert merge(shards[:2], tmp_path / "all.sqlite").missing == (Shard(3, 3),)
    assert merge(shards[2:], tmp_path / "all.sqlite").missing == ()


def test_parts_of_another_evaluation_are_refused(shards: list[Path], tmp_path: Path) -> None:
    measured(tmp_path / "m.sqlite", "3/3", replace(REQUEST, n_images=16))
    with pytest.raises(RobenchError, match="are parts of different evaluations"):
        merge([*shards[:2], tmp_path / "m.3-of-3.sqlite"], tmp_path / "all.sqlite")
    assert not (tmp_path / "all.sqlite").exists()


def test_stores_that_contradict_each_other_are_refused(shards: list[Path], tmp_path: Path) -> None:
    forged = tmp_path / "forged.sqlite"
    merge(shards[:1], forged)
    (row, *_) = Store(forged).rows()
    with sqlite3.connect(forged) as connection:
        connection.execute("delete from measurements where key = ?", (row[0],))
    measurement = Measurement(SUITE.conditions[0], 0, np.zeros(24, bool), np.zeros(24, bool))
    Store(forged).put(str(row[0]), "tr_none_c", measurement)
    with pytest.raises(RobenchError, match=r"have different outcomes of .* measure it again in one of them"):
        merge([shards[0], forged], tmp_path / "all.sqlite")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "1/3/5", "auto"])
def test_what_is_no_part_is_one_sentence(text: str) -> None:
    with pytest.raises(RobenchError, match="--shard"):
        parse_shard(text, {})


def test_the_place_in_a_job_array() -> None:
    array = {"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "20"}
    assert parse_shard("auto", array) == Shard(5, 11)
    assert parse_shard("auto", array | {"SLURM_ARRAY_TASK_STEP": "2"}) == Shard(3, 6)


def test_a_file_system_that_machines_share_is_known(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nhome:/x /home nfs4 rw 0 0\n/dev/b /home/local ext4 rw 0 0\n")
    assert on_a_network(Path("/home/me/runs/m.sqlite"), mounts) == "nfs4"
    assert on_a_network(Path("/home/local/m.sqlite"), mounts) == ""
    assert on_a_network(Path("/work/m.sqlite"), tmp_path / "nothing") == ""
