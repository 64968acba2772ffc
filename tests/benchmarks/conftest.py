"""Prints, for each pair of benchmarks, the ratio of their times and what each of them found."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from speed_page import PAGE, Profile, Record, Row, markdown, read, this_machine

from robench import zoo
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.load import load as load_data
from robench.engine.loaded import LoadedModel
from robench.engine.model import ModelUnderTest
from robench.engine.precision import choose_precision
from robench.engine.prepare import prepare

CPU = torch.device("cpu")
IMAGES = int(os.environ.get("ROBENCH_BENCH_IMAGES", "200"))


@pytest.fixture(scope="session")
def images() -> Dataset:
    """The first images of CIFAR-10 where $ROBENCH_DATA has it, else of digits; $ROBENCH_BENCH_IMAGES of them."""
    folder = os.environ.get("ROBENCH_DATA")
    try:
        return load_data("cifar10", data_dir=Path(folder or "nowhere")).first(IMAGES)
    except RobenchError:
        return load_data("digits").first(IMAGES)


@pytest.fixture(scope="session")
def few(images: Dataset) -> Dataset:
    """At most 200 of them."""
    return images.first(min(200, len(images)))


@pytest.fixture(scope="session")
def load(images: Dataset) -> Callable[[str], LoadedModel]:
    """Name -> that model of the zoo, from its file."""

    def from_file(name: str) -> LoadedModel:
        if zoo.find(name, images.name) is None:
            pytest.skip(f"the zoo has no {name} for {images.name}")
        return zoo.load(name, images.name, 10)

    return from_file


@pytest.fixture(scope="session")
def prepared(images: Dataset) -> Callable[[LoadedModel], ModelUnderTest]:
    """A loaded model -> the same as robench measures it."""
    return lambda loaded: prepare(loaded, images, CPU, "auto")


@pytest.fixture(scope="session")
def standard(load, prepared) -> ModelUnderTest:
    return prepared(load("fp_resnet20"))


@pytest.fixture(scope="session")
def ternary(load, prepared) -> ModelUnderTest:
    return prepared(load("twn_resnet20"))


@pytest.fixture(scope="session")
def adversarial(load, prepared) -> ModelUnderTest:
    return prepared(load("at_fp_resnet20"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", action="store_true", help="Keep the ratios in docs/speed, and write docs/speed.md.")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    groups: dict[str, list] = {}
    for bench in session.benchmarks if session else []:
        if bench.stats.rounds:
            groups.setdefault(bench.group, []).append(bench)
    if config.getoption("--page") and groups:
        record(groups).write()
        PAGE.write_text(markdown(read()))
    for group, (ours, *peers) in groups.items():
        terminalreporter.write_line(f"{group}: {ours.name} {ours.stats.min:.3f} s {ours.extra_info or ''}")
        for peer in peers:
            ratio = peer.stats.min / ours.stats.min
            terminalreporter.write_line(
                f"    {peer.name} {peer.stats.min:.3f} s: {ratio:.2f} times {peer.extra_info or ''}"
            )


def record(groups: dict[str, list]) -> Record:
    """What this run measured."""
    rows, profiles, images = [], [], ""
    for group, benches in groups.items():
        ours, *peers = benches
        images = next((bench.extra_info["images"] for bench in benches if "images" in bench.extra_info), images)
        profiles += [Profile(*bench.extra_info["profile"]) for bench in benches if "profile" in bench.extra_info]
        for peer in peers:
            found = "; ".join(str(bench.extra_info.get("found", "")) for bench in (ours, peer)).strip("; ")
            name = peer.name.removeprefix("test_").replace("_", " ")
            rows.append(Row(group, ours.stats.min, name, peer.stats.min, found))
    kind = choose_precision("auto", CPU)
    return Record(kind, this_machine(images), rows, profiles)
