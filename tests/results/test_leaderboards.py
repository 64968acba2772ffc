"""What is committed under leaderboards/ is what its cards give, and its cards are of the zoo's models."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from robench import suites, zoo
from robench.cli.main import app
from robench.results import cards, leaderboard
from robench.studies import STUDIES

BOARDS = Path(__file__).parents[2] / "leaderboards"
CARDS = sorted((BOARDS / "cards").glob("*.json"))


def test_markdown_is_up_to_date() -> None:
    assert leaderboard.stale(BOARDS / "cards", BOARDS) == []


def test_studies_are_up_to_date() -> None:
    studies = {study.suite: name for name, study in STUDIES.items()}
    for page in (BOARDS / "studies").glob("*.md"):
        words = ["reproduce", studies[page.stem], "--check", "--out", str(BOARDS / "studies")]
        assert CliRunner().invoke(app, words).exit_code == 0


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_card_is_whole_and_of_a_model_in_the_zoo(path: Path) -> None:
    card = cards.read(path)
    assert card.suite == suites.load(card.suite.name)
    assert len(card.measurements) == sum(condition.draws for condition in card.suite.conditions)
    assert card.model.sha256 == zoo.read_card(zoo.root() / card.data.name / card.model.name).sha256
