"""What is committed under leaderboards/ is what its cards give, and its cards are of the zoo's models."""

from pathlib import Path

import pytest

from robench import cards, suites, zoo
from robench.report import leaderboard

BOARDS = Path(__file__).parents[1] / "leaderboards"
CARDS = sorted((BOARDS / "cards").glob("*.json"))


def test_markdown_is_up_to_date() -> None:
    assert leaderboard.stale(BOARDS / "cards", BOARDS) == []


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_card_is_whole_and_of_a_model_in_the_zoo(path: Path) -> None:
    card = cards.read(path)
    assert card.suite == suites.load(card.suite.name)
    assert len(card.measurements) == sum(condition.draws for condition in card.suite.conditions)
    assert card.model.sha256 == zoo.read_card(zoo.root() / card.data.name / card.model.name).sha256
