"""The tables for the designer of a memory, from cards whose numbers are known."""

from dataclasses import replace

import numpy as np
import pytest

from robench.core.types import CLEAN, Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results import markdown
from robench.results.figures import curve, panels
from robench.results.memory import flips_to_chance, good_chips, loss, path, sheets, tolerated
from robench.results.summary import MISSING

FACTS = (("level", "bit error rate"),)
RATES = (1e-4, 1e-3, 1e-2)
SWEEP = [Condition("fault", "bit_error", rate, draws=4, facts=FACTS) for rate in RATES]
ATTACK = Condition("fault", "bit_flip_attack", 100, draws=2, facts=(("level", "flipped bits"),))
SUITE = Suite("memory", 1, 1000, 0, (CLEAN, *SWEEP, ATTACK))
RIGHT = {1e-4: (950, 950, 950, 950), 1e-3: (945, 946, 947, 948), 1e-2: (900, 800, 940, 945)}


def measured(condition: Condition, draw: int, right: int, **more) -> Measurement:
    top1 = np.arange(1000) < right
    return Measurement(condition, draw, top1, top1, **more)


def make_card(right: dict[float, tuple[int, ...]] = RIGHT, ends: tuple[int | None, ...] = (20, 30)) -> ResultCard:
    found = [measured(CLEAN, 0, 950)]
    for condition in SWEEP:
        found += [
            measured(condition, draw, count, numbers=(("bits", 2_000_000), ("flips", 7)))
            for draw, count in enumerate(right[condition.level])
        ]
    for draw, end in enumerate(ends):
        numbers = {"bits": 2_000_000, "flips": end or 100} | ({"flips_to_chance": end} if end else {})
        path = ((0, 950), (10, 500), (end or 100, 100 if end else 300))
        found.append(measured(ATTACK, draw, path[-1][1], numbers=tuple(sorted(numbers.items())), path=path))
    return ResultCard(
        ModelCard("twn", "digits", "resnet20", bits=2, sha256="0" * 64),
        SUITE,
        DataCard("digits", "here", 1000, "f"),
        tuple(found),
    )


def test_loss_is_against_the_sound_memory_of_the_same_network() -> None:
    card = make_card()
    assert loss(card, SWEEP[0]).value == 0
    assert loss(card, SWEEP[1]).value == pytest.approx(0.0035)
    found = loss(card, SWEEP[2])
    assert found.value == pytest.approx(0.05375)
    assert found.low < 0 < found.high


def test_the_tolerated_rate_is_the_last_one_before_a_loss() -> None:
    assert tolerated(make_card(), SWEEP) == 1e-3
    assert tolerated(make_card(RIGHT | {1e-4: (900, 900, 900, 900)}), SWEEP) == 0
    assert tolerated(make_card(RIGHT | {1e-2: (950, 950, 950, 950)}), SWEEP) == 1e-2
    assert tolerated(replace(make_card(), measurements=()), SWEEP) == MISSING


def test_good_chips_are_counted() -> None:
    assert good_chips(make_card(), SWEEP[2]) == (2, 4)
    assert good_chips(make_card(), SWEEP[0]) == (4, 4)
    assert good_chips(replace(make_card(), measurements=()), SWEEP[0]) == MISSING


def test_flips_to_chance_may_be_beyond_the_level() -> None:
    assert flips_to_chance(make_card(), ATTACK) == [20, 30]
    assert flips_to_chance(make_card(ends=(20, None)), ATTACK) == [20, None]


def test_a_path_is_a_curve_over_flips_whose_batches_end_at_their_own_flips() -> None:
    points = path(make_card(), ATTACK)
    assert [(flips, estimate.value) for flips, estimate in points] == [
        (0, 0.95),
        (5, 0.95),
        (10, 0.5),
        (20, 0.3),  # one batch is at 0.1 and the other still at 0.5
        (30, 0.1),
    ]
    assert points[3][1].low == 0
    assert path(replace(make_card(), measurements=()), ATTACK) == []
    (panel,) = (panel for panel in panels([make_card()]) if panel.title == "bit_flip_attack")
    assert curve(make_card(), panel) == points
    assert panel.places[0] == 5


def test_the_tables_say_it_in_words() -> None:
    found = {table.heading: table for table in sheets(SUITE, [make_card()])}
    assert found["The bit error rate that a memory may have"].rows == [["twn", "0.001"]]
    assert found["Yield: bit_error"].rows[0][3] == "50 [15, 85]"
    assert found["Bits of a network, and how many are expected to flip"].rows == [
        ["twn", "2,000,000", "200", "2,000", "20,000"]
    ]
    (cells,) = found["bit_flip_attack 100: flips to chance"].rows
    assert cells[:4] == ["twn", "25.0 ± 7.1", "2", "0.0013"]
    assert cells[4:7] == ["95.0", "50.0", "30.0"]
    never = list(sheets(SUITE, [make_card(ends=(20, None))]))[-1]
    assert never.rows[0][1] == "more than 100 in 1"


def test_they_stand_on_the_board_of_the_suite_and_on_no_other() -> None:
    board = markdown.leaderboard([make_card()])
    assert "<summary>Yield: bit_error</summary>" in board
    assert "| twn | 25.0 ± 7.1 | 2 | 0.0013 |" in board
    plain = replace(SUITE, conditions=(CLEAN,))
    assert not list(sheets(plain, [replace(make_card(), suite=plain)]))


def test_networks_in_full_precision_stand_apart_where_the_twins_are_low_bit_ones() -> None:
    full = replace(make_card(), model=replace(make_card().model, name="fp", bits=32))
    board = markdown.leaderboard([make_card(), full])
    assert "in full precision" not in board
    suite = replace(SUITE, twins="int8")
    board = markdown.leaderboard([replace(card, suite=suite) for card in (make_card(), full)])
    low, apart = board.split("<summary>The bit error rate that a memory may have, in full precision</summary>")
    assert "| twn | 0.001 |" in low
    assert "| fp | 0.001 |" in apart
    assert "| fp | 0.001 |" not in low


def test_a_wide_section_is_a_table_for_each_family(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "| model | bit_error 0.0001 | bit_error 0.001 | bit_error 0.01 |" in markdown.leaderboard([make_card()])
    monkeypatch.setattr(markdown, "WIDEST", 3)
    board = markdown.leaderboard([make_card()])
    heading = "<summary>Memory faults: bit_error, by bit error rate</summary>\n\n| model | 0.0001 | 0.001 | 0.01 |"
    assert heading in board
    assert "| model | 100 |" in board
