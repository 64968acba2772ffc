"""Kill commands that write, at random moments, and look at what they leave: python tests/soak/kills.py [KILLS] [SEED].

Not a test: a thousand kills take about an hour, on one core. Each command goes on from what the killed ones left, until
it has finished; then its results are compared with those of a run that nobody killed, and it begins anew. After every
kill each row that was there is there, and each file that is there is whole.

Commands run in forks of this process, which has imported everything already: kills fall into work, not into imports.
"""

import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import load_file

from robench import zoo
from robench.cli.main import app
from robench.results import cards
from robench.zoo.load import load_folder

BOARD = Path(__file__).parents[2] / "leaderboards" / "cards"
EVALUATE = ("evaluate", "--model", "digits/twn_resnet20", "--suite", "quick", "--dataset", "digits", "--n-images", "8")
COMMANDS = {
    "evaluate": (*EVALUATE, "--out", "out", "--store", "s.sqlite"),
    "leaderboard": ("leaderboard", "--board", "board"),
    "zoo add": (
        *("zoo", "add", "mine", "--checkpoint", "c.pt", "--architecture", "resnet20", "--dataset", "digits"),
        *("--mean", "0.5", "--std", "0.5", "--zoo", "zoo"),
    ),
    "train": ("train", "digits/twn_resnet20", "--epochs", "2", "--out", "run"),
}
WRITTEN = {
    "evaluate": ("out", "s.sqlite", "s.sqlite-wal", "s.sqlite-shm"),
    "leaderboard": ("board/robench-v1.md",),
    "zoo add": ("zoo",),
    "train": ("run",),
}


def started(name: str, folder: Path) -> int:
    """The process of a command that runs in a folder."""
    child = os.fork()
    if child:
        return child
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.argv = ["robench", *COMMANDS[name]]
    try:
        app()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 0)
    os._exit(0)


def ended(child: int, seconds: float) -> int | None:
    """The status of a process after at most so many seconds; None where it had to be killed."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def rows(folder: Path) -> set[tuple[object, ...]]:
    """The measurements of a store, whose pages must be sound."""
    if not (folder / "s.sqlite").is_file() or not (folder / "s.sqlite").stat().st_size:
        return set()
    with sqlite3.connect(folder / "s.sqlite") as store:
        assert store.execute("pragma integrity_check").fetchone() == ("ok",)
        if not store.execute("select count(*) from sqlite_master").fetchone()[0]:
            return set()
        return set(store.execute("select key, digest from measurements"))


def damages(folder: Path, boards: dict[str, bytes]) -> Iterator[str]:
    """What a kill left that is neither whole nor absent."""
    for board in (folder / "board").glob("*.md"):
        if board.read_bytes() != boards[board.name]:
            yield f"{board.name} is not whole"
    for card in (folder / "out").glob("*.json"):
        cards.read(card)
    if (folder / "zoo" / "digits" / "mine").is_dir():
        load_folder(folder / "zoo" / "digits" / "mine")
    if (folder / "run" / "checkpoint.pt").is_file():
        torch.load(folder / "run" / "checkpoint.pt", weights_only=True)


def results(name: str, folder: Path) -> Any:
    """What a command has made, without the times that it took."""
    if name == "evaluate":
        found = [cards.read(path) for path in sorted((folder / "out").glob("*.json"))]
        measured = [asdict(measurement) for card in found for measurement in card.measurements]
        return [{key: str(value) for key, value in entry.items() if key != "seconds"} for entry in measured]
    if name == "leaderboard":
        return {path.name: path.read_bytes() for path in (folder / "board").glob("*.md")}
    place = folder / "zoo" / "digits" / "mine" if name == "zoo add" else folder / "run"
    return {key: tensor.tolist() for key, tensor in load_file(place / "weights.safetensors").items()}


def clear(name: str, folder: Path) -> None:
    """Take away what a command has made."""
    for path in (folder / written for written in WRITTEN[name]):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def main(kills: int = 1000, seed: int = 0) -> None:
    """Kill so many times, and say what was found."""
    torch.set_num_threads(1)  # a pool of threads would not survive the fork
    rng = random.Random(seed)
    killed, finished = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        calm, folder = Path(one), Path(two)
        times: dict[str, float] = {}
        expected: dict[str, Any] = {}
        for place in (calm, folder):
            torch.save(zoo.load("fp_resnet20", "digits", 10).module.state_dict(), place / "c.pt")
            (place / "board" / "cards").mkdir(parents=True)
            for path in BOARD.glob("[ft]*_resnet20.digits.robench-v1.*"):
                shutil.copy(path, place / "board" / "cards")
        for name in COMMANDS:
            began = time.perf_counter()
            assert ended(started(name, calm), 600) == 0, name
            times[name], expected[name] = time.perf_counter() - began, results(name, calm)
        boards = expected["leaderboard"]
        for _ in track(range(kills)):
            name, before, status = rng.choice(list(COMMANDS)), rows(folder), None
            while (status := ended(started(name, folder), rng.uniform(0, times[name]))) is not None:
                assert status == 0, f"{name} ended with {status}"
                assert results(name, folder) == expected[name], f"{name} made something else"
                finished[name] += 1
                clear(name, folder)
                before = rows(folder)
            killed[name] += 1
            if name == "zoo add" and (folder / "zoo" / "digits" / "mine").is_dir():  # killed after its last word
                assert results(name, folder) == expected[name], "a model is not whole"
                clear(name, folder)
            assert before <= rows(folder), "rows were lost"
            assert not list(damages(folder, boards))
    print(f"{killed.total()} kills {dict(killed)}; {finished.total()} runs finished {dict(finished)}")
    print("no row was lost, every file was whole, and what the finished runs made is what a run without a kill makes")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
