"""Zoos of one's own in front of the shipped one, which may be inside an installed package."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import robench
from robench import zoo
from robench.core.errors import RobenchError
from robench.zoo import places
from robench.zoo.add import write_card
from robench.zoo.verify import verify

SHIPPED = zoo.root()
Fill = Callable[..., Path]


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """``fill(zoo, model, name, **facts)`` -> the folder of a copy of a shipped model in a zoo, under another name."""

    def filled(place: str, model: str, name: str = "", **facts: object) -> Path:
        folder = Path(shutil.copytree(SHIPPED / "digits" / model, tmp_path / place / "digits" / (name or model)))
        write_card(replace(zoo.read_card(folder), name=folder.name, **facts), folder)
        return folder

    return filled


@pytest.fixture
def installed(tmp_path: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zoo inside an installed package, where there is no checkout."""
    package = tmp_path / "site-packages" / "robench"
    monkeypatch.setattr(places, "__file__", str(package / "zoo" / "places.py"))
    for name in ("tr_none_nc", "tr_sign_c"):
        fill("site-packages/robench/_zoo", name)
    return package / "_zoo"


def test_a_name_means_the_first_zoos_model(installed: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    assert zoo.root() == installed
    assert zoo.names() == {"digits": ["tr_none_nc", "tr_sign_c"]}
    lab = fill("lab", "tr_power_c", "ours").parents[1]
    company = fill("company", "tr_round_c", "ours").parents[1]
    fill("company", "tr_stochm3_c", "tr_sign_c")
    monkeypatch.setenv("ROBENCH_ZOO", os.pathsep.join(map(str, (lab, company))))
    assert zoo.roots() == [lab, company, installed]
    assert zoo.names() == {"digits": ["ours", "tr_none_nc", "tr_sign_c"]}
    assert zoo.load("ours", "digits", 10).card.quantizer == "tr_power"
    assert zoo.load("digits/tr_sign_c", "cifar10", 10).card.quantizer == "tr_stochm3"
    with zoo.in_front(company):
        assert zoo.roots() == [company, lab, installed]
        assert zoo.folders()["digits"]["ours"] == company / "digits" / "ours"
        assert zoo.load("ours", "digits", 10).card.quantizer == "tr_round"
    assert zoo.load("ours", "digits", 10).card.quantizer == "tr_power"


@pytest.mark.usefixtures("installed")
def test_a_twin_is_found_in_another_zoo(fill: Fill) -> None:
    folder = fill("lab", "tr_round_c", "ours")
    assert verify(folder).wrong == []
    with zoo.in_front(folder.parents[1]):
        card = zoo.load("ours", "digits", 10).card
        assert zoo.twin_of(card, zoo.twin_name(card)).card.name == "tr_none_nc"
    alone = fill("lab", "alexnet_none_c")
    assert verify(alone).wrong == ["its twin alexnet_none_nc is not in the zoo, or of another architecture"]


@pytest.mark.usefixtures("installed")
def test_in_python_a_zoo_is_given(fill: Fill, tmp_path: Path) -> None:
    place = fill("lab", "tr_none_nc", "ours").parents[1]
    card = robench.evaluate(
        "ours", "digits", "quick", zoo=place, n_images=8, conditions="clean", store=tmp_path / "s.sqlite"
    )
    assert card.model.name == "ours"
    assert robench.load_model("ours", "digits", zoo=str(place)) is not None
    with pytest.raises(RobenchError, match="no model is named 'ours'"):
        robench.load_model("ours", "digits")


def test_a_bad_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "nowhere", tmp_path / "file", Path("x" * 5000)):
        with pytest.raises(RobenchError, match="there is no zoo"), zoo.in_front(bad):
            pass
    monkeypatch.setenv("ROBENCH_ZOO", f"{tmp_path}{os.pathsep}{tmp_path}/nowhere")
    with pytest.raises(RobenchError, match=r"\$ROBENCH_ZOO names .*nowhere, which is no folder"):
        zoo.load("tr_sign_c", "digits", 10)
    monkeypatch.setenv("ROBENCH_ZOO", os.pathsep)
    assert zoo.roots() == [zoo.root()]
    monkeypatch.setenv("ROBENCH_ZOO", "~nosuchuser/x")
    with pytest.raises(RobenchError, match="names a user"):
        zoo.roots()


def test_a_damaged_card_is_named(fill: Fill) -> None:
    folder = fill("lab", "tr_round_c", "ours")
    (folder / "card.toml").write_text("name = 'x")
    with zoo.in_front(folder.parents[1]), pytest.raises(RobenchError, match=r"digits/ours/card\.toml is not TOML"):
        zoo.load("ours", "digits", 10)
