import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results import cards

NOISE = Condition("distortion", "gaussian", 0.1, draws=2)
SIGN = Condition("distortion", "sign")
PGD = Condition("attack", "pgd", 8 / 255, (("steps", 20),), facts=(("gradient", True),))
SUITE = Suite("mine", 1, 11, 0, (PGD, SIGN, NOISE))


def make_card(name: str = "path/to/net.py:make", seed: int = 0, twin: tuple[str, str] = ("", "")) -> ResultCard:
    rng = np.random.default_rng(seed)

    def measured(condition: Condition, draw: int = 0, n: int = 11) -> Measurement:
        top1 = rng.random(n) < 0.5
        top5, attacked = top1 | (rng.random(n) < 0.5), condition.kind == "attack"
        distance = rng.random(n if attacked else 0).astype(np.float32)
        return Measurement(condition, draw, top1, top5, (), 0.25, top1 if attacked else top1[:0], distance)

    measurements = (measured(PGD), measured(SIGN, n=0), measured(NOISE), measured(NOISE, 1))
    model = ModelCard(name, mean=(0.5, 0.4, 0.3), std=(1.0, 1.0, 1.0), sha256="ab" * 32, training={"epochs": 3})
    return ResultCard(model, SUITE, DataCard("digits", "here", 11, "f" * 64), measurements, twin, {"torch": "2"})


def test_round_trip(tmp_path: Path) -> None:
    card = make_card()
    path = cards.write(card, tmp_path / "deep")
    assert re.fullmatch(r"path_to_net.py_make.digits.mine.[0-9a-f]{8}.json", path.name)
    read = cards.read(path)
    assert (read.model, read.suite, read.data, read.twin) == (card.model, card.suite, card.data, card.twin)
    assert [c.facts for c in read.suite.conditions] == [c.facts for c in SUITE.conditions]
    assert read.measurements[0].condition.facts == PGD.facts
    for ours, theirs in zip(card.measurements, read.measurements, strict=True):
        assert (ours.condition, ours.draw, ours.flags) == (theirs.condition, theirs.draw, theirs.flags)
        assert np.array_equal(ours.top1, theirs.top1)
        assert np.array_equal(ours.top5, theirs.top5)
        assert np.array_equal(ours.rounded, theirs.rounded)
        assert np.array_equal(ours.distance, theirs.distance)


def test_json_has_the_documented_fields(tmp_path: Path) -> None:
    data = json.loads(cards.write(make_card(), tmp_path).read_text())
    assert set(data["measurements"][0]) == {
        "condition", "draw", "correct", "correct_top5", "correct_rounded", "mean_distance", "total", "flags", "seconds",
    }  # fmt: skip
    assert data["measurements"][0]["condition"] == {
        "kind": "attack", "name": "pgd", "level": 8 / 255, "params": {"steps": 20}, "grid": [],
    }  # fmt: skip
    assert data["measurements"][1]["condition"]["level"] is None
    assert data["measurements"][1]["total"] == 0


def test_of_gives_draws_in_order() -> None:
    assert [m.draw for m in make_card().of(NOISE)] == [0, 1]


def test_a_count_that_was_edited_is_seen(tmp_path: Path) -> None:
    path = cards.write(make_card(), tmp_path)
    data = json.loads(path.read_text())
    data["measurements"][0]["correct"] += 1
    path.write_text(json.dumps(data))
    with pytest.raises(RobenchError, match="do not fit its count"):
        cards.read(path)


def test_missing_outcomes_or_another_schema_are_one_sentence(tmp_path: Path) -> None:
    path = cards.write(make_card(), tmp_path)
    cards.outcomes_path(path).unlink()
    with pytest.raises(RobenchError, match="there is no outcomes file"):
        cards.read(path)
    path.write_text('{"schema": 99}')
    with pytest.raises(RobenchError, match="has schema 99"):
        cards.read(path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RobenchError, match="name another folder with --out"):
        cards.write(make_card(), tmp_path / "file")


def test_a_zoo_models_whole_suite_has_a_plain_name_and_nothing_else_has(tmp_path: Path) -> None:
    shipped = make_card("twn")
    shipped = replace(shipped, model=replace(shipped.model, test={"correct": 1}))
    assert cards.card_path(shipped, tmp_path).name == "twn.digits.mine.json"
    others = [
        replace(shipped, suite=replace(SUITE, part="seed=1")),
        replace(shipped, suite=replace(SUITE, part="conditions=attack/*")),
        make_card("twn"),
        replace(make_card("twn"), model=replace(make_card("twn").model, sha256="0f" * 32)),
    ]
    names = {cards.card_path(card, tmp_path).name for card in [shipped, *others]}
    assert len(names) == 5


def test_outcomes_of_another_run_are_seen(tmp_path: Path) -> None:
    path = cards.write(make_card(seed=0), tmp_path)
    other = cards.write(make_card(seed=1), tmp_path / "other")
    cards.outcomes_path(path).write_bytes(cards.outcomes_path(other).read_bytes())
    with pytest.raises(RobenchError, match="are not those that it was written with"):
        cards.read(path)
