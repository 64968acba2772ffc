"""What Ray's own cluster of three nodes on this machine measures is what is measured here, also when a node dies."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.plugins import load_plugin
from robench.core.types import Measurement
from robench.engine.task import Task
from robench.measure.cluster import Worker, facts_of, is_engine, measure_on_cluster, pieces_of, whole
from robench.measure.portable import packed, unpacked
from robench.measure.run import Request, Run, open_run
from robench.suites.one_line import suite_of

SUITE = suite_of({
    "attack": ["fgsm@8/255", "pgd@8/255,steps=5"],
    "corruption": ["speckle@2", "gaussian@3"],
    "distortion": ["gaussian@0.2,draws=3"],
})  # fmt: skip
NET = """
from robench import zoo

def make(name):
    return zoo.load(name, "digits", 10).module
"""
BOOM = """
from robench.attacks import register

@register("boom_on_cluster")
def boom(*given):
    raise RuntimeError("oh no")
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of three nodes with a core each."""
    ray = pytest.importorskip("ray", reason="install robench[ray] to run this test")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    # A node counts as dead after five seconds without an answer; Ray's own fifteen would only be waited for.
    head["_system_config"] = {"health_check_period_ms": 1000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    """Of a model from a user's file."""
    (tmp_path / "net.py").write_text(NET)
    models = (f"{tmp_path / 'net.py'}:make",)
    return Request(models, "digits", SUITE, twin="none", options={"name": "tr_none_c"}, n_images=24)


def outcomes(run: Run) -> list[Measurement]:
    return list(run.card(run.requested[0]).measurements)


def same(ours: list[Measurement], theirs: list[Measurement]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(a.condition == b.condition and np.array_equal(a.top1, b.top1) and a.flags == b.flags for a, b in pairs)


def test_the_card_is_that_of_a_run_without_a_cluster(nodes: Any, request_: Request, tmp_path: Path) -> None:
    with open_run(request_) as run:
        run.measure(run.pending())
        here = outcomes(run)
    store = tmp_path / "store.sqlite"
    told: list[Measurement] = []
    with open_run(replace(request_, store=store)) as run:
        measure_on_cluster(run, request_, "ray:auto", lambda task, measurement: told.append(measurement))
        assert run.pending() == []
        assert same(outcomes(run), here)
    assert len(told) == len(here) == 8
    with open_run(replace(request_, store=store)) as run:  # nothing is left for a second driver
        measure_on_cluster(run, request_, "ray:auto", lambda task, measurement: pytest.fail("measured twice"))


def test_pieces_that_workers_measure_are_put_together(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robench.engine.task.PART", 10)
    with open_run(request_) as run:
        run.measure(run.pending())
        here = outcomes(run)
    with open_run(request_) as run:
        worker, pieces = Worker(packed(request_), facts_of(run)), pieces_of(run)
        found = [outcome for piece in pieces for outcome in worker.measure(piece)]
        for place, measurement in whole(run, reversed(found)):
            assert isinstance(measurement, Measurement)
            run.keep(run.work[place], measurement)
        assert len(found) == 1 + 3 * 7
        assert same(outcomes(run), here)


def test_a_node_that_dies_loses_nothing(nodes: Any, request_: Request) -> None:
    doomed = list(nodes.worker_nodes)[:1]
    with open_run(request_) as run:
        run.measure(run.pending())
        here = outcomes(run)
    with open_run(request_) as run:

        def kill(task: Task, measurement: Measurement) -> None:
            """With the first measurement that comes, when all actors have work."""
            for node in doomed:
                nodes.remove_node(node, allow_graceful=False)
            doomed.clear()

        measure_on_cluster(run, request_, "ray:auto", kill)
        assert not doomed
        assert same(outcomes(run), here)


def test_a_fault_of_the_users_code_takes_its_condition_alone(nodes: Any, tmp_path: Path) -> None:
    (tmp_path / "boom.py").write_text(BOOM)
    load_plugin(tmp_path / "boom.py")
    suite = suite_of({"attack": ["boom_on_cluster@1/255", "fgsm@1/255"]})
    request = Request(("tr_none_c",), "digits", suite, twin="none", n_images=8)
    with open_run(request) as run:
        measure_on_cluster(run, request, "ray:auto")
        clean, boom, fgsm = outcomes(run)
        assert (clean.total, boom.total, fgsm.total) == (8, 0, 8)
        assert "failed with RuntimeError: oh no" in boom.flags[0]


def test_a_request_takes_its_files_along(request_: Request, tmp_path: Path) -> None:
    parcel = packed(request_)
    (tmp_path / "net.py").unlink()
    folder = tmp_path / "there"
    folder.mkdir()
    there = unpacked(parcel, folder)
    (model,) = there.models
    assert str(model).startswith(str(folder))
    with open_run(replace(there, suite=suite_of({}))) as run:
        assert len(run.work) == 1


def test_what_is_no_engine_and_no_cluster_is_one_sentence(request_: Request) -> None:
    assert is_engine("ray")
    assert is_engine("ray:1.2.3.4:6379")
    assert not is_engine("local")
    with pytest.raises(RobenchError, match="cannot be read"):
        packed(replace(request_, checkpoints=(Path("nowhere.pt"),)))
