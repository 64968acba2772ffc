"""A study's files: what they say where they do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from robench import suites
from robench.core.errors import RobenchError
from robench.results import cards
from robench.studies import STUDIES
from robench.studies.files import Files

FOLDER = Path(__file__).parents[2] / "leaderboards" / "studies"


def test_cards_of_another_version_of_the_suite_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(STUDIES["poster"], "cifar10", FOLDER)
    files.check()
    suite = suites.load("poster-2018")
    monkeypatch.setattr(suites, "load", lambda name: replace(suite, version=2))
    with pytest.raises(RobenchError, match=r"another version of poster-2018 than 2; run: robench reproduce poster"):
        files.check()


def test_cards_of_unshipped_models_stay_where_they_are_not_measured_again(tmp_path: Path) -> None:
    study = replace(STUDIES["poster"], unshipped=("ttq_resnet20", "bwn_resnet20", "nowhere"))
    for kept in (FOLDER / "cards").glob("*.poster-2018.*"):
        if not kept.name.startswith("bwn"):
            (tmp_path / "cards").mkdir(exist_ok=True)
            (tmp_path / "cards" / kept.name).write_bytes(kept.read_bytes())
    measured = [cards.read(FOLDER / "cards" / f"{name}.cifar10.poster-2018.json") for name in ("fp_resnet20",)]
    Files(study, "cifar10", tmp_path).keep(measured, {})
    found = json.loads((tmp_path / "poster-2018.json").read_text())["cards"]
    assert found == ["fp_resnet20.cifar10.poster-2018.json", "ttq_resnet20.cifar10.poster-2018.json"]
