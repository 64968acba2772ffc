"""Kill commands that write, at random moments, and look at what they leave: python tests/soak/kills.py [KILLS] [SEED].

Not a test: a thousand kills take an hour or two. Each command goes on from what the killed ones left. Afterwards every
row that was there is there, every file that is there is whole, and the finished command's cards are those of a run that
nobody killed.
"""

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from rich.progress import track

from robench import zoo
from robench.results import cards
from robench.zoo.load import load_folder

BOARD = Path(__file__).parents[2] / "leaderboards" / "cards"
EVALUATE = ("evaluate", "--model", "digits/twn_resnet20", "--suite", "quick", "--dataset", "digits", "--n-images", "32")
COMMANDS = {
    "evaluate": (*EVALUATE, "--out", "out", "--store", "s.sqlite"),
    "leaderboard": ("leaderboard", "--cards", str(BOARD), "--out", "board"),
    "zoo add": (
        *("zoo", "add", "mine", "--checkpoint", "c.pt", "--architecture", "resnet20", "--dataset", "digits"),
        *("--mean", "0.5", "--std", "0.5", "--zoo", "zoo"),
    ),
    "train": ("train", "digits/twn_resnet20", "--epochs", "3", "--out", "run"),
}


def started(name: str, folder: Path) -> "subprocess.Popen[bytes]":
    """A command that runs in a folder."""
    words = [sys.executable, "-m", "robench", *COMMANDS[name]]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rows(folder: Path) -> set[tuple[object, ...]]:
    """The measurements of a store, whose pages must be sound."""
    if not (folder / "s.sqlite").is_file() or not (folder / "s.sqlite").stat().st_size:
        return set()
    with sqlite3.connect(folder / "s.sqlite") as store:
        assert store.execute("pragma integrity_check").fetchone() == ("ok",)
        if not store.execute("select count(*) from sqlite_master").fetchone()[0]:
            return set()
        return set(store.execute("select key, digest from measurements"))


def damages(folder: Path) -> Iterator[str]:
    """What a kill left that is neither whole nor absent."""
    board = folder / "board" / "robench-v1.md"
    if board.is_file() and board.read_bytes() != (BOARD.parent / "robench-v1.md").read_bytes():
        yield "a board is not whole"
    if (folder / "zoo" / "digits" / "mine").is_dir():
        load_folder(folder / "zoo" / "digits" / "mine")
    if (folder / "run" / "checkpoint.pt").is_file():
        torch.load(folder / "run" / "checkpoint.pt", weights_only=True)


def outcomes(folder: Path) -> list[dict[str, object]]:
    """The cards that an evaluation wrote, without times."""
    found = [cards.read(path) for path in sorted((folder / "out").glob("*.json"))]
    measured = [asdict(measurement) for card in found for measurement in card.measurements]
    return [{key: str(value) for key, value in entry.items() if key != "seconds"} for entry in measured]


def main(kills: int = 1000, seed: int = 0) -> None:
    """Kill so many times, and say what was found."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        calm, folder = Path(one), Path(two)
        times = {}
        for place in (calm, folder):
            torch.save(zoo.load("fp_resnet20", "digits", 10).module.state_dict(), place / "c.pt")
        for name in COMMANDS:
            began = time.perf_counter()
            assert started(name, calm).wait() == 0, name
            times[name] = time.perf_counter() - began
        finished = dict.fromkeys(COMMANDS, 0)
        for _ in track(range(kills)):
            name, before = rng.choice(list(COMMANDS)), rows(folder)
            command = started(name, folder)
            try:
                command.wait(rng.uniform(0, times[name]))
                finished[name] += 1
            except subprocess.TimeoutExpired:
                command.kill()
                command.wait()
            assert before <= rows(folder), "rows were lost"
            assert not list(damages(folder))
        assert started("evaluate", folder).wait() == 0
        assert outcomes(folder) == outcomes(calm), "the cards differ"
        print(f"{kills} runs, of which {sum(finished.values())} ended before they were killed: {finished}")
        print(f"{len(rows(folder))} rows, none lost; boards, models and checkpoints whole; the cards are equal")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
