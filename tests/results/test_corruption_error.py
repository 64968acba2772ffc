"""The mean corruption error by hand."""

from dataclasses import replace

import numpy as np
import pytest

from robench import suites
from robench.core.types import CLEAN, Condition, DataCard, Measurement, ModelCard, ResultCard
from robench.results.corruption_error import (
    ALEXNET,
    conditions,
    corruption_error,
    mean_corruption_error,
    sheets,
)
from robench.results.markdown import leaderboard
from robench.results.summary import MISSING

N = 200
SUITE = suites.load("robench-c")


def make(wrong: dict[str, int], suite=SUITE) -> ResultCard:
    """``wrong`` images of 200 under each severity of a corruption, 100 unless it is named; 20 without one."""

    def measured(condition: Condition) -> Measurement:
        top1 = np.arange(N) >= (20 if condition == CLEAN else wrong.get(condition.name, 100))
        return Measurement(condition, 0, top1, top1)

    rows = tuple(map(measured, suite.conditions))
    return ResultCard(ModelCard("net", sha256="s"), suite, DataCard("d", "here", N, "f"), rows)


def test_fifteen_of_the_nineteen_count() -> None:
    assert list(conditions(SUITE)) == list(ALEXNET)
    assert len(ALEXNET) == 15
    assert conditions(suites.load("robench-v1")) == {}


def test_the_mean_and_what_is_added() -> None:
    card = make({"fog": 160, "saturate": 200})  # saturate is one of the four that do not count
    assert corruption_error(card, "fog").value == pytest.approx(0.8)  # type: ignore[union-attr]
    expected = (14 * 0.5 + 0.8) / 15
    assert mean_corruption_error(card).value == pytest.approx(expected)  # type: ignore[union-attr]
    added = mean_corruption_error(card, relative=True)
    assert added.value == pytest.approx(expected - 0.1)  # type: ignore[union-attr]


def test_on_imagenet_c_each_is_divided_by_alexnets() -> None:
    large = tuple(c if c == CLEAN else replace(c, params=(("parameters", "imagenet-c"),)) for c in SUITE.conditions)
    card = make({name: round(N * error) for name, error in ALEXNET.items()}, replace(SUITE, conditions=large))
    assert mean_corruption_error(card).value == pytest.approx(1, abs=0.005)  # type: ignore[union-attr]


def test_a_missing_severity_leaves_no_mean() -> None:
    card = make({})
    part = replace(card, measurements=card.measurements[:-40])
    assert mean_corruption_error(part) == MISSING


def test_the_board_has_a_table() -> None:
    (sheet,) = sheets(SUITE, [make({})])
    assert sheet.rows[0][1].startswith("50.0 [")
    assert "<summary>Mean corruption error</summary>" in leaderboard([make({})])
    assert list(sheets(suites.load("robench-v1"), [])) == []
