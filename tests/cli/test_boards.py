"""A board and a zoo of one's own, from the first model to the site, without a checkout."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from robench import zoo
from robench.cli.main import app
from robench.results import cards
from robench.zoo import places

SHIPPED = zoo.root()
HOSTILE = "<img src=x onerror=alert(1)> $\\frac$ a|b"

SUITE = """
name = "ours"
version = 1
n_images = 24
seed = 0
[[conditions]]
kind = "clean"
names = ["clean"]
[[conditions]]
kind = "corruption"
names = ["gaussian"]
levels = [1, 3, 5]
[[conditions]]
kind = "fault"
names = ["bit_error"]
levels = [0.01]
draws = 2
"""
"""One rate of bit errors is no curve, and the board has no figure."""


def robench(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


def done(*words: str) -> str:
    """What a command that succeeds says."""
    result = robench(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a zoo of two private models, and a board of these and of one with a hostile name."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        without_checkout(patch, place)
        card = zoo.read_card(SHIPPED / "digits" / "tr_none_nc")
        net = zoo.load_folder(SHIPPED / "digits" / "tr_none_nc").module.network
        torch.save(net.state_dict(), "theirs.pt")
        scale = ("--mean", ",".join(map(str, card.mean)), "--std", ",".join(map(str, card.std)))
        words = ("--architecture", card.architecture, "--dataset", "digits", *scale, "--zoo", "models")
        options = [word for name, value in card.options.items() for word in ("--option", f"{name}={value}")]
        told = done("zoo", "add", "ours", "--checkpoint", "theirs.pt", *words, *options)
        assert "robench evaluate --model digits/ours --zoo models --publish leaderboards" in told
        done("zoo", "quantize", "digits/ours", "int4", "--name", "ours_int4", "--zoo", "models")
        Path("small.toml").write_text(SUITE)
        own = ("--suite", "small.toml", "--dataset", "digits", "--zoo", "models", "--publish", "board")
        done("evaluate", "--model", "ours_int4", *own)
        done("evaluate", "--model", "ours", "--model", "ours_int4", "--name", "plain", "--name", HOSTILE, *own)
    return place


def without_checkout(patch: pytest.MonkeyPatch, place: Path) -> None:
    """As if robench were installed from a wheel, with one model in its zoo."""
    package = place / "site-packages" / "robench"
    if not package.exists():
        shutil.copytree(SHIPPED / "digits" / "tr_none_nc", package / "_zoo" / "digits" / "tr_none_nc")
    patch.setattr(places, "__file__", str(package / "zoo" / "places.py"))


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    without_checkout(monkeypatch, made)
    return made


def test_the_cards_are_on_the_board_alone(here: Path) -> None:
    found = [cards.read(path) for path in sorted((here / "board" / "cards").glob("*.json"))]
    assert {card.model.name for card in found} == {"ours", "ours_int4", "plain", HOSTILE}
    (low,) = (card for card in found if card.model.name == "ours_int4")
    assert low.twin[0] == "ours"
    assert not (here / "leaderboards").exists()
    assert not (here / "zoo").exists()


def test_the_board_is_rendered_and_checked(here: Path) -> None:
    text = (here / "board" / "ours.md").read_text()
    assert "| ours_int4 |" in text
    assert "<img" not in text
    assert "Accuracy under memory faults" not in text
    assert "(figures/" not in text
    assert "&lt;img src=x onerror=alert(1)>" in text
    assert "the leaderboards are what the cards give" in done("leaderboard", "--board", "board", "--check")
    shutil.copytree(here / "board", here / "a b")
    (here / "a b" / "ours.md").write_text("edited")
    checked = robench("leaderboard", "--board", "a b", "--check")
    assert checked.exit_code == 2
    assert "run: robench leaderboard --board 'a b'" in checked.stderr
    assert done("leaderboard", "--board", "a b") == "wrote a b/ours.md\n"
    assert (here / "a b" / "ours.md").read_text() == text


def test_the_site_shows_the_board(here: Path) -> None:
    done("site", "--board", "board", "--out", "public")
    pages = list((here / "public" / "models").glob("*.html"))
    assert {"ours", "ours_int4", "plain"} <= {page.name.partition(".")[0] for page in pages}
    for page in [*pages, here / "public" / "index.html"]:
        assert "<img src=x" not in page.read_text()


def test_cards_are_found_on_the_board(here: Path) -> None:
    rows = json.loads(done("compare", "ours_int4", "ours", "--board", "board", "--json"))
    assert rows[0]["condition"] == "clean"
    assert "| ours_int4 |" in done("table", "ours_int4", "--board", "board")
    shown = done("show", "digits/ours_int4", "--zoo", "models", "--board", "board")
    assert "board/cards/ours_int4.digits.ours" in shown
    assert "Measure it again: robench evaluate --model digits/ours_int4 --zoo models" in shown
    missing = robench("compare", "ours_int4", "nothing", "--board", "board")
    assert "there is no result card nothing" in missing.stderr


def test_a_board_with_two_cards_of_a_model_asks_which(here: Path) -> None:
    folder = here / "two" / "cards"
    shutil.copytree(here / "board" / "cards", folder)
    card = cards.read(next(folder.glob("ours_int4.*.json")))
    cards.write_file(card, folder / "ours_int4.digits.other.json")
    result = robench("compare", "ours_int4", "ours", "--board", "two")
    assert result.exit_code == 2
    assert "name one" in result.stderr


def test_a_figure_has_the_twin_and_any_name(here: Path) -> None:
    (card,) = (p for p in (here / "board" / "cards").glob("*.json") if cards.read(p).model.name == HOSTILE)
    words = ("plot", "--board", "board", "--width", "one", "--format", "svg", "--out", "figures")
    noise = ("--conditions", "clean", "--conditions", "corruption")
    assert "nothing to plot" in robench(*words, "ours_int4", "--conditions", "clean").stderr
    text = {}
    for name, more in {"with": (), "without": ("--no-twins",)}.items():
        done(*words, "ours_int4", *noise, "--name", name, *more)
        text[name] = (here / "figures" / f"{name}.svg").read_text()
    assert "<!-- ours -->" in text["with"]
    assert "<!-- ours -->" not in text["without"]
    assert "figures/x.svg" in done(*words, str(card), "--name", "x")


def test_the_zoos_are_listed_with_their_models(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = done("list", "models", "--zoo", "models").splitlines()
    places_of = {line.split()[0]: line.split()[-1] for line in lines[1:]}
    assert places_of == {"digits/tr_none_nc": "shipped", "digits/ours": "models", "digits/ours_int4": "models"}
    assert "digits/ours" not in done("list", "models")
    monkeypatch.setenv("ROBENCH_ZOO", str(here / "models"))
    assert "digits/ours_int4" in done("list", "models")
    assert "2 bit" not in done("show", "ours_int4")
    verified = done("zoo", "verify", "--zoo", "models")
    assert verified.count(" ok ") == 2


def test_a_model_is_added_to_the_zoo_of_the_variable(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBENCH_ZOO", "more")
    (here / "more").mkdir()
    told = done("zoo", "quantize", "digits/tr_none_nc", "int8", "--name", "mine")
    assert "robench evaluate --model digits/mine --publish leaderboards" in told
    assert (here / "more" / "digits" / "mine" / "card.toml").is_file()


def test_the_documented_workflow_is_made_of_commands_that_there_are(here: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")
    workflow = text.partition("```yaml\n")[2].partition("```")[0]
    commands = [line.partition("- run: ")[2] for line in workflow.splitlines() if "- run: robench" in line]
    assert [command.split()[1] for command in commands] == ["leaderboard", "site"]
    for command in commands:
        done(*command.split()[1:])
    assert (here / "public" / "index.html").is_file()
    assert "path: public" in workflow
