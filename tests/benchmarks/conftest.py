"""Prints, for each pair of benchmarks, the ratio of their times and what each of them found."""

import os
from pathlib import Path

import pytest
import torch

from robench import zoo
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.load import load
from robench.evaluation import choose_precision, prepare
from robench.subject import Subject

CPU = torch.device("cpu")
PAGE = f"""\
# Speed

Written by `tox run -e bench -- --page docs/speed.md`; do not edit. Both sides ran in one process, one after the other,
on the same model and images with the same parameters; the ratio is the peer's time over robench's. What was found are
the images that still stand, at each epsilon, or the peak memory of the process. Images: `ROBENCH_BENCH_IMAGES` of
CIFAR-10 where `ROBENCH_DATA` has it, else of digits. torch {torch.__version__}, {torch.get_num_threads()} threads,
{torch.backends.cpu.get_cpu_capability()}.
"""
IMAGES = int(os.environ.get("ROBENCH_BENCH_IMAGES", "200"))


@pytest.fixture(scope="session")
def images() -> Dataset:
    """The first images of CIFAR-10 where $ROBENCH_DATA has it, else of digits; $ROBENCH_BENCH_IMAGES of them."""
    folder = os.environ.get("ROBENCH_DATA")
    try:
        return load("cifar10", data_dir=Path(folder or "nowhere")).first(IMAGES)
    except RobenchError:
        return load("digits").first(IMAGES)


@pytest.fixture(scope="session")
def few(images: Dataset) -> Dataset:
    """At most 200 of them."""
    return images.first(min(200, len(images)))


def subject(name: str, images: Dataset) -> Subject:
    folder = zoo.find(name, images.name)
    if folder is None:
        pytest.skip(f"the zoo has no {name} for {images.name}")
    return prepare(zoo.load(name, images.name, 10), images, CPU, choose_precision("auto", CPU))


@pytest.fixture(scope="session")
def standard(images: Dataset) -> Subject:
    return subject("fp_resnet20", images)


@pytest.fixture(scope="session")
def ternary(images: Dataset) -> Subject:
    return subject("twn_resnet20", images)


@pytest.fixture(scope="session")
def adversarial(images: Dataset) -> Subject:
    return subject("at_fp_resnet20", images)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", type=Path, help="Write the ratios to this markdown file.")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    groups: dict[str, list] = {}
    for bench in session.benchmarks if session else []:
        if bench.stats.rounds:
            groups.setdefault(bench.group, []).append(bench)
    page = config.getoption("--page")
    if page and groups:
        page.write_text(markdown(groups))
    for group, (ours, *peers) in groups.items():
        terminalreporter.write_line(f"{group}: {ours.name} {ours.stats.min:.3f} s {ours.extra_info or ''}")
        for peer in peers:
            ratio = peer.stats.min / ours.stats.min
            terminalreporter.write_line(
                f"    {peer.name} {peer.stats.min:.3f} s: {ratio:.2f} times {peer.extra_info or ''}"
            )


def markdown(groups: dict[str, list]) -> str:
    """The page of the last results."""
    lines = [
        PAGE,
        "| what | robench, s | peer | s | ratio | found (robench; peer) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for group, (ours, *peers) in groups.items():
        for peer in peers:
            found = "; ".join(str(bench.extra_info.get("found", "")) for bench in (ours, peer)).strip("; ")
            name = peer.name.removeprefix("test_").replace("_", " ")
            times = f"{ours.stats.min:.3f} | {name} | {peer.stats.min:.3f} | {peer.stats.min / ours.stats.min:.2f}"
            lines.append(f"| {group} | {times} | {found} |")
    profiles = [
        bench.extra_info["profile"] for group in groups.values() for bench in group if "profile" in bench.extra_info
    ]
    return "\n".join([*lines, *profiles]) + "\n"
