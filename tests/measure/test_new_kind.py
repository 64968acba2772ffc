"""A kind of condition that robench has never heard of goes all the way, with nothing of robench's edited."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import robench
from robench.cli.main import app
from robench.core.errors import RobenchError
from robench.core.kinds import KINDS, Kind, Progress
from robench.core.types import Condition, Measurement
from robench.engine.task import Task, judge_images
from robench.results import cards, markdown
from robench.results.figures import draw

SUITE = """
name = "cells"
version = 1
n_images = 40
seed = 0
[[conditions]]
kind = "clean"
names = ["clean"]
[[conditions]]
kind = "wear"
names = ["stuck"]
levels = [0.0, 0.5, 1.0]
"""


def stuck(image: object) -> object:
    """What the plug-in of this kind does."""
    return image


class Wear(Kind):
    """The weights of a share of the filters are 0."""

    name, section, protocol = "wear", "Worn filters", 1

    def resolve(self, condition: Condition) -> Condition:
        if condition.name != "stuck" or condition.level is None or not 0 <= condition.level <= 1:
            raise RobenchError(f"the wear {condition.name} needs a share from 0 to 1, not {condition.level}.")
        return replace(condition, facts=(("cells", "filters"),))

    def measure(self, task: Task, progress: Progress) -> Measurement:
        tested = task.model
        weight = tested.original.model.network.features[0].weight
        saved = weight.detach().clone()
        try:
            weight.data[: round(task.condition.level * len(weight))] = 0
            tested.refresh()
            return Measurement(task.condition, task.draw, *judge_images(task, task.data.images, progress))
        finally:
            weight.data.copy_(saved)
            tested.refresh()

    def plugin(self, condition: Condition) -> object:
        return stuck


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.toml").write_text(SUITE)
    with KINDS.temporarily("wear", Wear()):
        yield "cells.toml"


def test_it_is_measured_stored_written_compared_and_drawn(suite: str, tmp_path: Path) -> None:
    settings = {"twin": "alexnet_none_c", "store": tmp_path / "s.sqlite"}
    card = robench.evaluate("tr_none_nc", "digits", suite, **settings)
    counts = [m.correct for m in card.measurements]
    assert counts[0] == counts[1] > counts[2] > counts[3]
    assert card.twin_card is not None
    assert [row.condition for row in robench.compare(card, card.twin_card)][1:] == [
        "stuck 0",
        "stuck 0.5",
        "stuck 1",
    ]
    read = cards.read(cards.write(card, tmp_path))
    assert "<summary>Worn filters</summary>" in markdown.leaderboard([read])
    assert draw([card, card.twin_card], tmp_path, "cells")


def test_it_is_on_the_command_line(suite: str) -> None:
    words = ["evaluate", "--model", "tr_none_nc", "--dataset", "digits", "--suite", suite]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "Worn filters" in result.stdout
    again = CliRunner().invoke(app, words)
    assert "4 of 4 measurements are stored already" in again.stderr


def test_what_does_not_fit_it_is_one_sentence(suite: str, tmp_path: Path) -> None:
    (tmp_path / suite).write_text(SUITE.replace("0.5", "1.5"))
    with pytest.raises(RobenchError, match="conditions 2: the wear stuck needs a share from 0 to 1, not"):
        robench.evaluate("tr_none_nc", "digits", suite)
