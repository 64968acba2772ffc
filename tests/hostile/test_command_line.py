"""Hostile and clumsy command lines: one sentence and a status, whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robench import zoo
from robench.cli import leaderboard as leaderboard_command
from robench.cli.main import app
from robench.core.errors import RobenchError
from robench.results import cards
from robench.results.markdown import plain
from robench.zoo import hub

QUICK = ("--suite", "quick", "--dataset", "digits", "--n-images", "16", "--conditions", "clean", "--twin", "none")
BOARD = Path(__file__).parents[2] / "leaderboards" / "cards"
CARD = BOARD / "twn_resnet20.digits.robench-v1.json"
RESULT = "twn_resnet20.digits.robench-v1"
LONG = "x" * 5000
RECIPE = """
name = "small"
dataset = "digits"
architecture = "convnet"
quantizer = "twn"
epochs = 1
learning_rate = 0.1
mean = [0.5]
std = [0.5]
[options]
width = 0.03125
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def robench(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


def told(*words: str, sentence: str) -> None:
    """A command must end with status 2 and a sentence, and without a traceback."""
    result = robench(*words)
    assert result.exit_code == 2, (words, result.output, result.exception)
    assert sentence in " ".join(result.stderr.split()), result.stderr


SENTENCES = [
    (("compare", r"\[/x]", "b"), r"there is no result card \[/x]"),
    (("evaluate", "--model", "[/x]", *QUICK), "no model is named '[/x]'"),
    (("evaluate", "--model", "twn_resnet20", *QUICK, "--store", ":memory:"), "names no file"),
    (("evaluate", "--model", LONG, *QUICK), "no model is named"),
    (("evaluate", "--model", "twn_resnet20", "--suite", LONG), "no suite is named"),
    (("evaluate", "--model", "twn_resnet20", *QUICK[:4], "--data-dir", LONG), "there is no folder"),
    (("evaluate", "--model", "twn_resnet20", *QUICK[:2], "--dataset", "digits:junk"), "takes nothing after its name"),
    (("evaluate", "--model", "twn_resnet20", *QUICK[:2], "--dataset", "npz:~nosuchuser/x"), "names a user"),
    (("evaluate", "--model", "twn_resnet20", *QUICK, "--seed", "9" * 20), "seed must be a whole number from 0"),
    (("evaluate", "--model", ":", *QUICK), "is not of the form"),
    (("evaluate", "--model", "sys:exit", *QUICK), "sys:exit failed with SystemExit"),
    (("compare", LONG, "b"), "there is no result card"),
    (("plot", LONG), "there is no result card"),
    (("show", LONG), "no model is named"),
    (("table", LONG), "there is no result card"),
    (("table", str(CARD), "--columns", "[/x]"), "no column is named '[/x]'"),
    (("table", str(CARD), "--rows", LONG), "no card is of a model"),
    (("table", str(CARD), "--out", "nowhere/t.tex"), "nowhere"),
    (("cite", LONG), "no model is named"),
    (("cite", "--suite", LONG), "no suite is named"),
    (("train", LONG), "no recipe is named"),
    (("train", "digits/twn_resnet20", "--seed", str(2**64)), "the seed of a recipe must be from 0"),
    (("leaderboard", "--board", LONG), ""),
    (("site", "--board", LONG), ""),
    (("plot", "x", "--board", LONG), "is no board"),
    (("evaluate", "--model", "twn_resnet20", *QUICK, "--publish", LONG), "--publish"),
    (("evaluate", "--model", "twn_resnet20", *QUICK, "--publish", "--json"), "takes the folder of a board"),
    (("evaluate", "--model", "twn_resnet20", *QUICK, "--zoo", LONG), "there is no zoo"),
    (("list", "models", "--zoo", "[/x]"), "there is no zoo [/x]"),
    (("list", "suites", "--zoo", "."), "--zoo goes with: robench list models"),
    (("zoo", "verify", "--zoo", "nowhere"), "there is no zoo nowhere"),
    *(
        (("zoo", "add", name, "--checkpoint", "c.pt", "--architecture", "resnet20"), "the name of a model cannot be")
        for name in ("../../../x", "/tmp/x", "", ".")
    ),
]


@pytest.mark.parametrize(("words", "sentence"), SENTENCES, ids=range(len(SENTENCES)))
def test_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    told(*words, sentence=sentence)


def test_a_path_may_begin_with_the_home_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    words = ("evaluate", "--model", "twn_resnet20", *QUICK, "--out", "~/out", "--store", "~/s.sqlite")
    assert robench(*words).exit_code == 0
    assert (here / "home" / "s.sqlite").is_file()
    assert len(list((here / "home" / "out").glob("*.json"))) == 1
    told(*words[:-3], "~nosuchuser/out", sentence="names a user that is not known here")


def test_a_run_whose_twin_is_a_file_is_told(here: Path) -> None:
    (here / "f").write_text("")
    told(
        "train",
        "digits/twn_resnet20",
        "--twin",
        str(here / "f"),
        sentence="let that run pass its full-precision epochs",
    )


def test_a_fault_of_robenchs_is_one_sentence_and_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr("robench.results.leaderboard.write", fail)
    assert leaderboard_command.leaderboard is not None
    result = robench("leaderboard")
    assert result.exit_code == 70
    sentence = " ".join(result.stderr.split())
    assert "this is a fault of robench's, ZeroDivisionError" in sentence
    path = Path(next(word for word in sentence.split() if word.rstrip(".").endswith(".traceback.txt")).rstrip("."))
    assert "nobody foresaw this" in path.read_text()
    path.unlink()


MODEL = """
import torch
class Net(torch.nn.Module):
    def forward(self, x):
        {body}
def make():
    return Net()
"""
BODIES = ["raise KeyError('x')", "raise SystemExit(0)", "raise RuntimeError('')", "return x.new_zeros(len(x), 10) * 1j"]


@pytest.mark.parametrize("body", BODIES)
def test_a_model_that_fails_is_its_users_fault(body: str, here: Path) -> None:
    (here / "mine.py").write_text(MODEL.format(body=body))
    told("evaluate", "--model", "mine.py:make", *QUICK, sentence="mine.py:make")


def test_code_in_a_folder_runs_when_it_is_trusted_alone(here: Path) -> None:
    folder = here / "digits" / "twn_resnet20"
    shutil.copytree(zoo.root() / "digits" / "twn_resnet20", folder)
    card = (folder / "card.toml").read_text()
    (folder / "card.toml").write_text(card.replace('architecture = "resnet20"', 'architecture = "model.py:make"'))
    (folder / "model.py").write_text("from pathlib import Path\nPath('ran').touch()\nraise SystemExit(0)\n")
    told("evaluate", "--model", str(folder), *QUICK, sentence="say --trust")
    result = robench("zoo", "verify", "--zoo", str(here))
    assert result.exit_code == 2
    assert not (here / "ran").exists()
    told("evaluate", "--model", str(folder), *QUICK, "--trust", sentence="failed with SystemExit")
    assert (here / "ran").exists()


@pytest.mark.parametrize(
    ("dataset", "twin", "sentence"),
    [
        ("/any/folder", "x.py:make", "a twin cannot be"),
        ("victim:x", "y", "is no registered data set"),
        ("hf:a", "b", "is no registered data set"),
        ("npz:/etc/hostname", "", "is no registered data set"),
    ],
)
def test_a_card_from_the_hub_names_nothing_on_this_machine(
    dataset: str, twin: str, sentence: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = here / "fetched"
    shutil.copytree(zoo.root() / "digits" / "twn_resnet20", folder)
    card = (folder / "card.toml").read_text()
    card = card.replace('dataset = "digits"', f'dataset = "{dataset}"').replace(
        'twin = "fp_resnet20"', f'twin = "{twin}"'
    )
    (folder / "card.toml").write_text(card)
    monkeypatch.setattr(hub, "fetch_model", lambda spec: (folder, f"{spec}@1"))
    (here / "x.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    told("evaluate", "--model", "hf:evil/model", "--dataset", "digits", "--suite", "quick", sentence=sentence)
    assert not (here / "ran").exists()


def test_one_bad_card_stops_no_board(here: Path) -> None:
    (here / "board" / "cards").mkdir(parents=True)
    for path in BOARD.glob(f"{RESULT}.*"):
        shutil.copy(path, here / "board" / "cards")
    (here / "board" / "cards" / "bad.json").write_text("{}")
    result = robench("leaderboard", "--board", "board")
    assert result.exit_code == 2
    assert "left out: the card board/cards/bad.json" in result.stderr
    assert "twn_resnet20" in (here / "board" / "robench-v1.md").read_text(encoding="utf-8")


def test_a_board_shows_text_and_runs_none() -> None:
    assert plain("x | y\n| <script> [a](javascript:b) `c`") == r"x \| y \| &lt;script> \[a](javascript:b) \`c\`"
    assert plain("at 1/255 [1/255, beyond]") == "at 1/255 [1/255, beyond]"


def test_a_suite_that_takes_a_boards_name_is_refused_before_it_is_measured(here: Path) -> None:
    (here / "leaderboards" / "cards").mkdir(parents=True)
    for path in BOARD.glob(f"{RESULT}.*"):
        shutil.copy(path, here / "leaderboards" / "cards")
    (here / "s.toml").write_text(
        'name = "robench-v1"\nversion = 2\nn_images = 16\nseed = 0\n[[conditions]]\nkind = "clean"\nnames = ["clean"]\n'
    )
    told(
        "evaluate", "--model", "digits/twn_resnet20", "--twin", "none",
        "--suite", "s.toml", "--publish", "leaderboards",
        sentence="are of another suite named robench-v1",
    )  # fmt: skip
    assert not (here / "runs").exists() or not list((here / "runs").glob("*.json"))


def test_an_attack_that_changes_nothing_is_flagged(here: Path) -> None:
    (here / "s.toml").write_text(
        'name = "mine"\nversion = 1\nn_images = 16\nseed = 0\n[[conditions]]\nkind = "attack"\nlevels = [0.001]\n'
        'names = ["torchattacks:VANILA"]\n[[conditions]]\nkind = "attack"\nlevels = [0.001]\n'
        'names = ["torchattacks:GN"]\nparams = { std = 0.5 }\n'
    )
    result = robench(
        "evaluate",
        "--model",
        "digits/twn_resnet20",
        "--twin",
        "none",
        "--suite",
        "s.toml",
        "--dataset",
        "digits",
        "--json",
    )
    idle, beyond = json.loads(result.stdout)["measurements"]
    assert "the attack changed no image" in idle["flags"]
    assert any(
        flag.startswith("beyond the budget: on 16 of 16 images the attack left its budget") for flag in beyond["flags"]
    )


def started(*words: str, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "robench", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=os.environ | environment, text=True, encoding="utf-8", **pipes)


def test_any_locale(here: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shutil.copytree(BOARD, here / "out" / "cards")
    shutil.copy(BOARD.parent / "checks.json", here / "out")
    out, messages = started("leaderboard", "--board", "out", **ascii_only).communicate()
    assert messages == ""
    assert "wrote" in out
    shipped = BOARD.parent / "robench-v1.md"
    assert (here / "out" / "robench-v1.md").read_bytes() == shipped.read_bytes()


def test_a_request_to_end_keeps_what_is_measured() -> None:
    run = started("evaluate", "--model", "digits/twn_resnet20", "--suite", "quick", "--dataset", "digits")
    assert run.stderr is not None
    run.stderr.readline()  # the first measurement is taken
    run.send_signal(signal.SIGTERM)
    _, messages = run.communicate(timeout=60)
    assert run.returncode == 143, messages
    assert "stopped; what was finished is kept" in messages


def test_a_full_disk_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = zoo.root() / "digits" / "fp_resnet20" / "weights.safetensors"
    shutil.copy(weights, here / "c.safetensors")

    def full(path: Path, content: object) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    add = ("zoo", "add", "mine", "--checkpoint", "c.safetensors", "--architecture", "resnet20", "--dataset", "digits")
    told(
        *add, "--mean", "0.5", "--std", "0.5", "--zoo", "z", sentence="No space left on device; name another with --zoo"
    )
    (here / "r.toml").write_text(RECIPE)
    told("train", "r.toml", "--out", "run", sentence="No space left on device")
    assert not [path for path in here.rglob("*") if path.is_file() and path.parts[-2] in ("mine", "run")]


def test_writers_of_one_card_leave_a_sound_one(here: Path) -> None:
    """Two cards of one name, whose files must not be mixed."""
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace; from robench.results import cards\n"
        "card, other = (cards.read(Path(path)) for path in sys.argv[1:3])\n"
        "other = replace(other, model=card.model)\n"
        "for number in range(20):\n"
        "    path = cards.write((card, other)[number % 2], Path('out'))\n"
        "    cards.read(path)\n"
    )
    names = [str(BOARD / f"{name}.digits.robench-v1.json") for name in ("alexnet_none_c", "tr_none_c")]
    runs = [subprocess.Popen([sys.executable, "-c", code, *order]) for order in (names, names[::-1], names)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0, 0]
    assert len(list((here / "out").iterdir())) == 4


def test_a_card_is_written_whole_or_not_at_all(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = cards.read(BOARD / f"{RESULT}.json")
    path = cards.write(card, here)
    before = {file.name: file.read_bytes() for file in here.iterdir()}

    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(RobenchError, match="No space left"):
        cards.write(card, here)
    assert {file.name: file.read_bytes() for file in here.iterdir()} == before
    assert cards.read(path).model == card.model
