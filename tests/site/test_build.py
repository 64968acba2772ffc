"""Without a browser: the files, their numbers, and what hostile cards do to them."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robench.cli.main import app
from robench.core.errors import RobenchError
from robench.core.types import ResultCard
from robench.results import cards
from robench.results.leaderboard import of_one_version
from robench.results.summary import accuracy, percent
from robench.site import exports
from robench.site.boards import boards_of, model_id
from robench.site.payload import script
from robench.site.studies import render

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "leaderboards" / "cards"


def payload(path: Path) -> dict:
    return json.loads(path.read_text().split(", ", 1)[1].rstrip().removesuffix(");"))


def test_numbers_on_the_site_are_those_of_the_markdown(site: Path) -> None:
    (board,) = [b for b in boards_of(of_one_version(CARDS)) if b.id == "robench-v1.digits.e08288cb"]
    data = payload(site / "data" / f"{board.id}.js")
    text = (ROOT / "leaderboards" / "robench-v1.md").read_text()
    seen = 0
    for card in board.cards:
        (model,) = [m for m in data["models"] if m["id"] == model_id(card)]
        for part in board.parts:
            for group, cell in zip(part.groups, model["cells"][part.key], strict=True):
                shown = cell[0] if isinstance(cell[0], str) else "{:.1f} [{:.1f}, {:.1f}]".format(*cell[0])
                assert shown == percent(accuracy(card, group))
                assert shown in text
                seen += 1
    assert seen > 500


def test_exports_have_every_number(site: Path) -> None:
    path = site / "data" / "robench-v1.digits.e08288cb.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    same = json.loads(path.with_suffix(".json").read_text())
    assert len(rows) == len(same)
    (found,) = [r for r in same if (r["model"], r["condition"]) == ("twn_resnet20", "clean")]
    card = cards.read(CARDS / "twn_resnet20.digits.robench-v1.json")
    assert found["accuracy"] == pytest.approx(100 * card.measurements[0].correct / card.data.n)
    assert found["fingerprint"] == card.data.fingerprint
    assert found["commit"] == card.provenance["commit"]
    assert {"difference", "difference_low", "difference_high"} <= set(found)
    numbers = [r["accuracy"] for r in rows if r["condition"] == "clean" and r["model"] == "twn_resnet20"]
    assert [float(n) for n in numbers] == [found["accuracy"]]


def test_every_model_and_study_has_a_page(site: Path, published: list[ResultCard]) -> None:
    for card in published:
        text = (site / "models" / f"{model_id(card)}.html").read_text()
        assert f"robench evaluate --model {card.model.name} --suite {card.suite.name} --dataset digits" in text
    assert (site / "studies" / "poster-2018.html").read_text().count('<img src="figures/') == 2
    assert list((site / "studies" / "figures").glob("poster-2018-*.png"))


def test_addresses_of_models_are_apart_and_stay(published: list[ResultCard]) -> None:
    card = published[0]
    names = ["a|b", "a<b", "a_b", "a", "A" * 500, "A" * 499]
    others = [replace(card, model=replace(card.model, name=name)) for name in names]
    others.append(replace(card, data=replace(card.data, fingerprint="0" * 64)))
    others.append(replace(card, model=replace(card.model, test={})))
    found = {model_id(other) for other in [card, *others]}
    assert len(found) == len(others) + 1
    assert max(map(len, found)) < 100
    assert model_id(card) == f"{card.model.name}.digits.e08288cb"


def test_hostile_cards_change_no_page(hostile: Path) -> None:
    pages = [*hostile.glob("*.html"), *(hostile / "models").glob("*.html")]
    assert len(list((hostile / "models").glob("*.html"))) == 3
    for page in pages:
        text = page.read_text()
        assert "<img src=x" not in text
        assert "<script>document" not in text
    for path in (hostile / "data").glob("*.js"):
        assert path.read_text().isascii()


def test_the_command_that_measures_again_is_quoted(published: list[ResultCard]) -> None:
    card = replace(published[0], model=replace(published[0].model, name="x; rm -rf ~"), twin=("", ""))
    assert exports.again(card).startswith("robench evaluate --model 'x; rm -rf ~' --suite")
    part = replace(card.suite, part="seed=1&conditions=attack/*")
    assert exports.again(replace(card, suite=part)).endswith("--seed 1 --conditions 'attack/*'")


def test_a_text_in_a_csv_is_no_formula() -> None:
    assert exports.as_csv([{"model": "=1+1", "difference": -0.5}]) == "model,difference\n'=1+1,-0.5\n"


def test_a_data_file_is_one_call() -> None:
    assert script("a'\"</script>", {"é": "\u2028"}).startswith(
        'robench.give("a\'\\"</script>", {"\\u00e9":"\\u2028"});'
    )


def test_html_in_a_study_is_shown() -> None:
    assert "<b>" not in render("a <b>c</b> [x](javascript:alert(1))\n\n<script>1</script>")
    assert "href" not in render("[x](javascript:alert(1))")


def test_no_cards_give_a_site_that_says_so(build, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    out = build(tmp_path / "cards", tmp_path / "site")
    for name in ("index", "curves", "pareto", "compare"):
        assert "No result cards yet" in (out / f"{name}.html").read_text()


def test_no_folder_is_one_sentence(build, tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="name a board with --board"):
        build(tmp_path / "nowhere", tmp_path / "site")


def test_the_command_tells_of_a_damaged_card(tmp_path: Path) -> None:
    for path in CARDS.glob("int8_resnet20.digits.robench-v1.*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "broken.json").write_text("{")
    done = CliRunner().invoke(app, ["site", "--cards", str(tmp_path), "--out", str(tmp_path / "site")])
    assert done.exit_code == 2
    assert "left out" in done.output
    assert (tmp_path / "site" / "models" / "int8_resnet20.digits.e08288cb.html").is_file()
