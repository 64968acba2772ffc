"""The command line, as a user types it."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from PIL import Image
from typer.testing import CliRunner, Result

import robench as package
from robench import zoo
from robench.cli.main import app
from robench.data.resizing import InputSize
from robench.results import cards
from robench.studies import STUDIES
from robench.suites import FOLDER
from robench.training import recipe
from robench.training.recipe import RECIPES

ADD = ["--checkpoint", "nowhere.pt", "--architecture", "resnet20", "--dataset", "digits"]
QUICK = ["--suite", "quick", "--dataset", "digits", "--n-images", "24"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(folder: Path, start: str) -> Path:
    (found,) = (path for path in folder.glob("*.json") if path.name.startswith(start))
    return found


def robench(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


def test_evaluate_prints_a_table_and_writes_cards(here: Path) -> None:
    result = robench("evaluate", "--model", "twn_resnet20", *QUICK)
    assert result.exit_code == 0, result.output
    assert "against fp_resnet20" in result.stdout
    assert "n/a" in result.stdout
    assert "On 24 images of digits, without noise" in result.stdout
    assert (here / "runs" / "measurements.sqlite").is_file()
    assert cards.read(only(here / "runs", "twn_resnet20.digits.quick.")).suite.part == "n_images=24"
    again = robench("evaluate", "--model", "twn_resnet20", *QUICK)
    assert "34 of 34 measurements are stored already" in again.stderr
    assert again.stdout == result.stdout


def test_json_prints_the_card_and_nothing_else(here: Path) -> None:
    conditions = ("--conditions", "clean", "--conditions", "corruption/*")
    one = robench("evaluate", "--model", "twn_resnet20", *QUICK, *conditions, "--json", "--out", "o")
    card = json.loads(one.stdout)
    written = json.loads(only(here / "o", "twn_resnet20.digits.quick.").read_text())
    assert card == {key: value for key, value in written.items() if key != "outcomes_sha256"}
    assert [m["condition"]["kind"] for m in card["measurements"]] == ["clean"] + 4 * ["corruption"]
    two = robench("evaluate", "--model", "twn_resnet20", "--model", "bc_resnet20", *QUICK, *conditions, "--json")
    assert [card["model"]["name"] for card in json.loads(two.stdout)] == ["twn_resnet20", "bc_resnet20"]


def test_publish_adds_cards_and_renders_the_leaderboard(here: Path) -> None:
    part = robench("evaluate", "--model", "twn_resnet20", *QUICK, "--publish", "leaderboards")
    assert part.exit_code == 2
    assert "--publish adds whole suites to a board; leave out what changes it (n_images=24)" in part.stderr
    whole = (FOLDER / "quick.toml").read_text().replace("n_images = 200", "n_images = 24")
    (here / "small.toml").write_text(whole.partition('[[conditions]]\nkind = "attack"')[0])
    words = ("--suite", "small.toml", "--dataset", "digits", "--publish", "leaderboards")
    result = robench("evaluate", "--model", "twn_resnet20", *words)
    assert result.exit_code == 0, result.output
    assert (here / "leaderboards" / "cards" / "twn_resnet20.digits.quick.json").is_file()
    text = (here / "leaderboards" / "quick.md").read_text()
    assert "| twn_resnet20 | resnet20 | twn | 2 |" in text
    twin = here / "leaderboards" / "cards" / "fp_resnet20.digits.quick.json"
    twin.write_text(twin.read_text().replace('"created"', '"published"'))
    again = robench("evaluate", "--model", "bwn_resnet20", *words)
    assert again.exit_code == 0, again.output
    assert '"published"' in twin.read_text()  # kept as it was
    assert robench("leaderboard", "--check").exit_code == 0
    (here / "leaderboards" / "quick.md").write_text("edited")
    checked = robench("leaderboard", "--check")
    assert checked.exit_code == 2
    assert "run: robench leaderboard" in checked.stderr


def test_a_model_of_the_users_with_a_twin(here: Path) -> None:
    (here / "mine.py").write_text(
        "import robench\ndef make():\n    return robench.load_model('bwn_resnet20', dataset='digits')\n"
    )
    words = ["--model", "mine.py:make", "--twin", "fp_resnet20", *QUICK, "--conditions", "clean"]
    result = robench("evaluate", *words, "--full")
    assert result.exit_code == 0, result.output
    assert "fp_resnet20 (twin)" in result.stdout
    assert only(here / "runs", "mine.py_make.digits.quick.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluate", "--model", "twn_resnet2", *QUICK], "did you mean twn_resnet20"),
        (["evaluate", "--model", "twn_resnet20", *QUICK[:4], "--n-images", "1001"], "has 1000 images"),
        (["evaluate", "--model", "nowhere.py:make", *QUICK], "there is no file nowhere.py"),
        (
            ["evaluate", "--model", "twn_resnet20", *QUICK, "--data-dir", ".", "--dataset", "cifar10"],
            "no CIFAR-10 test set",
        ),
        (["evaluate", "--model", "twn_resnet20", *QUICK, "--store", "file/s"], "name another file with --store"),
        (["evaluate", "--model", "twn_resnet20", *QUICK, "--publish", "a/b"], "there is no folder a for a new board"),
        (["evaluate", "--model", "twn_resnet20", *QUICK, "--publish", "file"], "file is no folder"),
        (["compare", "a", "b", "--board", "."], ". is no board"),
        (["evaluate", "--model", "twn_resnet2"], "did you mean twn_resnet20"),
        (["leaderboard"], "there are no result cards"),
        (["train", "digits/nothing"], "no recipe is named"),
        (["show", "nothing"], "no model is named"),
        (["zoo", "verify", "--zoo", "."], "there is no model in ."),
        (["zoo", "verify", "digits/nothing"], "1 of 1 models failed"),
        (["zoo", "add", "x", *ADD, "--mean", "a"], "--mean takes numbers"),
        (["zoo", "add", "x", *ADD, "--option", "width"], "--option takes NAME=VALUE"),
        (["zoo", "add", "x", *ADD], "there is no checkpoint nowhere.pt"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(words: list[str], sentence: str, here: Path) -> None:
    (here / "file").write_text("")
    result = robench(*words)
    assert result.exit_code == 2
    assert sentence in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert result.stdout == "" or words[:2] == ["zoo", "verify"]


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("models", "digits/twn_resnet20"),
        ("architectures", "convnet"),
        ("quantizers", "ttq"),
        ("corruptions", "salt_and_pepper"),
        ("attacks", "torchattacks"),
        ("distortions", "power"),
        ("datasets", "imagefolder"),
        ("suites", "robench-v1"),
        ("recipes", "cifar10/twn_resnet20"),
        ("studies", "merolla"),
    ],
)
def test_list(what: str, name: str) -> None:
    result = robench("list", what)
    assert result.exit_code == 0
    assert name in result.stdout


def test_version() -> None:
    result = robench("--version")
    assert result.exit_code == 0
    assert result.stdout == f"robench {package.__version__}\n"


def test_show() -> None:
    result = robench("show", "digits/twn_resnet20")
    assert result.exit_code == 0, result.output
    assert "268,336, 2 bit" in result.stdout
    assert "arXiv:1605.04711" in result.stdout


def test_train_makes_a_folder_that_evaluates(here: Path) -> None:
    result = robench("train", "digits/bwn_resnet20", "--epochs", "1", "--out", "mine")
    assert result.exit_code == 0, result.output
    assert len((here / "mine" / "log.jsonl").read_text().splitlines()) == 1
    evaluated = robench("evaluate", "--model", "mine", *QUICK, "--conditions", "clean", "--json")
    assert json.loads(evaluated.stdout)["model"]["quantizer"] == "bwn"


def test_zoo_add_makes_a_folder_that_verifies_and_evaluates(here: Path) -> None:
    loaded = zoo.load("bc_resnet20", "digits", 10)
    torch.save(loaded.module.network.state_dict(), here / "theirs.pt")
    facts = ["--architecture", "resnet20", "--dataset", "digits", "--mean", "0.5", "--std", "0.5", "--quantizer", "bc"]
    result = robench("zoo", "add", "mine", "--checkpoint", "theirs.pt", *facts)
    assert result.exit_code == 0, result.output
    correct = loaded.card.test["correct"]
    assert f"mine: {correct}/1000 = {correct / 10:.2f}% on scikit-learn; 1 bit" in result.stdout
    verified = robench("zoo", "verify", "--zoo", "zoo")
    assert verified.exit_code == 0, verified.output
    next_step = result.stdout.split("publish it: robench ")[1].split(" --publish")[0].split()
    assert next_step == ["evaluate", "--model", "digits/mine", "--zoo", "zoo"]
    evaluated = robench(*next_step, *QUICK, "--conditions", "clean", "--json")
    assert json.loads(evaluated.stdout)["model"]["bits"] == 1


def test_compare_pairs_two_cards_and_corrects_for_their_conditions(here: Path) -> None:
    robench("evaluate", "--model", "twn_resnet20", *QUICK)
    table = robench("compare", "twn_resnet20", "fp_resnet20")
    assert table.exit_code == 0, table.output
    assert "twn_resnet20 against fp_resnet20 on 24 images of digits, quick" in table.stdout
    rows = json.loads(robench("compare", "twn_resnet20", "fp_resnet20", "--json").stdout)
    assert {"clean", "pgd (20) 1/255", "gaussian 0.2"} < {row["condition"] for row in rows}
    assert all(row["p"] <= row["p_holm"] <= 1 for row in rows)
    missing = robench("compare", "twn_resnet20", "nothing")
    assert missing.exit_code == 2
    assert "there is no result card nothing" in missing.stderr


PAIR = """
import torch
from torch import nn
from robench import zoo

class Binary(nn.Conv2d):
    def forward(self, x):
        weight = self.weight + (self.weight.sign() * self.weight.abs().mean() - self.weight).detach()
        return self._conv_forward(x, weight, self.bias)

def make(binary: bool = False):
    model = zoo.load("alexnet_none_nc", "digits", 10).module
    for conv in [m for m in model.modules() if isinstance(m, nn.Conv2d)][1:] if binary else []:
        conv.__class__ = Binary
    return model
"""


def test_a_pair_of_ones_own_is_compared_by_the_names_that_were_typed(here: Path) -> None:
    (here / "pair.py").write_text(PAIR)
    state = zoo.load("alexnet_none_nc", "digits", 10).module.state_dict()
    torch.save({"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}}, "c.pt")
    words = ["--dataset", "digits", "--suite", "quick", "--n-images", "8", "--conditions", "*/gaussian"]
    pair = ["--model", "pair.py:make", "--option", "binary=true", "--checkpoint", "c.pt", "--twin", "alexnet_none_nc"]
    result = robench("evaluate", *pair, *words)
    assert result.exit_code == 0, result.output
    assert "pair.py:make (1 bit)" in result.stdout
    assert "Weights seen: " in result.stdout
    assert robench("compare", "pair.py:make", "alexnet_none_nc").exit_code == 0
    named = robench("evaluate", *pair, *words, "--name", "mine")
    assert named.exit_code == 0, named.output
    rows = json.loads(robench("compare", "mine", "pair.py:make", "--json").stdout)
    assert [row["difference"]["value"] for row in rows] == [0, 0]


def test_reproduce_writes_a_page_and_checks_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STUDIES, "poster", replace(STUDIES["poster"], models=("alexnet_none_nc", "alexnet_none_c")))
    words = ("reproduce", "poster", "--out", "studies", "--dataset", "digits")
    assert "is missing or damaged" in robench(*words, "--check").stderr
    result = robench(*words, "--n-images", "8")
    assert result.exit_code == 0, result.output
    page = here / "studies" / "poster-2018.digits.md"
    assert "| alexnet_none_c | 50 |" in page.read_text()
    assert "(figures/poster-2018.digits-noise.png)" in page.read_text()
    assert (here / "studies" / "figures" / "poster-2018.digits-noise.png").is_file()
    assert robench(*words, "--check").exit_code == 0
    page.write_text(page.read_text() + "!")
    assert "differs from its cards" in robench(*words, "--check").stderr
    assert page.read_text().endswith("!")
    assert "no study is named 'postr'" in robench("reproduce", "postr").stderr
    assert "the zoo has no alexnet_none_nc for npz:x" in robench("reproduce", "poster", "--dataset", "npz:x").stderr


@pytest.fixture
def narrow_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes of the AlexNet-like networks with a thirtieth of the width and two epochs: the path, in few steps."""
    folder = tmp_path / "recipes"
    (folder / "cifar10").mkdir(parents=True)
    for path in (RECIPES / "cifar10").glob("alexnet*.toml"):
        settings = tomllib.loads(path.read_text()) | {"epochs": 2, "options": {"width": 0.03}}
        (folder / "cifar10" / path.name).write_text(tomli_w.dumps(settings))
    monkeypatch.setattr(recipe, "RECIPES", folder)


@pytest.mark.usefixtures("narrow_recipes")
def test_reproduce_trains_what_the_zoo_lacks_on_photographs_of_all_sizes(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for index in range(48):
        image = rng.integers(0, 256, (40 + index, 60 - index % 5, 3), dtype=np.uint8)
        folder = here / "tiny" / ("train" if index < 32 else "test") / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index}.jpg")
    monkeypatch.setattr("robench.data.resizing.IMAGENET", InputSize(32, 32))
    words = ("reproduce", "merolla", "--dataset", "imagefolder:tiny", "--out", "studies", "--runs", "trained")
    result = robench(*words, "--n-images", "16")
    assert result.exit_code == 0, result.output
    assert "shorter side to 36 pixels (bilinear), central 32x32" in result.stderr
    page = (here / "studies" / "merolla-2016.tiny.md").read_text()
    assert "Fig 3" in page
    assert "Clipping alone makes an AlexNet-like network (alexnet_none_c) withstand Sign better." in page
    assert len((here / "trained" / "tiny" / "alexnet_none_c" / "log.jsonl").read_text().splitlines()) == 2
    assert robench(*words, "--check").exit_code == 0
