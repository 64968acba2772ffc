"""A study's files: what they say where they do not fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from robench import suites
from robench.core.errors import RobenchError
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
