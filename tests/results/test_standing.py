"""A board shows how far each card was checked, for as long as its files stay what they were then."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from robench.core.errors import RobenchError
from robench.results import leaderboard, standing
from robench.results.cards import outcomes_path
from robench.results.standing import Check

CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"
NAME = "twn_resnet20.digits.robench-v1.json"


@pytest.fixture
def board(tmp_path: Path) -> Path:
    (tmp_path / "cards").mkdir()
    for path in (CARDS / NAME, outcomes_path(CARDS / NAME)):
        shutil.copy(path, tmp_path / "cards")
    return tmp_path


def check(board: Path, state: str = "re-measured") -> Check:
    digest = standing.digest(board / "cards" / NAME)
    return Check(NAME, digest, state, 8, 142, 0, "2026-11-27", "1.0", "2.12", "cpu")


def shown(board: Path) -> str:
    (card,) = leaderboard.of_one_version(board / "cards")["robench-v1"]
    (page,) = leaderboard.render(board / "cards").values()
    (row,) = [line for line in page.splitlines() if line.startswith("| twn_resnet20 | 2")][:1]
    assert row.endswith(f"| {card.standing} |")
    return card.standing


def test_a_card_that_nobody_checked_is_self_reported(board: Path) -> None:
    assert shown(board) == "self-reported"


def test_the_best_check_is_shown_and_a_new_one_replaces_the_old(board: Path) -> None:
    standing.record(board, check(board, "confirmed by witness"))
    assert shown(board) == "confirmed by witness"
    standing.record(board, check(board))
    assert shown(board) == "re-measured"
    standing.record(board, replace(check(board), measurements=142))
    assert [one.measurements for one in standing.read(board)] == [8, 142]


def test_a_check_is_void_once_the_card_is_another(board: Path) -> None:
    standing.record(board, check(board))
    path = board / "cards" / NAME
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1'))
    assert shown(board) == "self-reported"


def test_a_damaged_record_is_one_sentence(board: Path) -> None:
    (board / standing.FILE).write_text(json.dumps({"schema": 1, "checks": [{"card": "<b>"}]}))
    with pytest.raises(RobenchError, match=r"the record .*checks.json"):
        leaderboard.render(board / "cards")
    with pytest.raises(RobenchError, match="there is no board"):
        standing.record(board / "nowhere", check(board))
