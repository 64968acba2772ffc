"""Witnesses show what fell, and only to the card that they are of."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import robench
from robench.cli.main import app
from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Measurement
from robench.measure.witness import path_of
from robench.proof.again import again
from robench.proof.confirm import Confirmation, confirm
from robench.results.cards import Card, read
from robench.suites.one_line import suite_of


@pytest.fixture(scope="module")
def card(attacked: Path) -> Card:
    return read(attacked)


def confirmed(card: Card, folder: Path) -> list[Confirmation]:
    with again(card) as work:
        return list(confirm(work, folder))


def test_every_image_that_fell_is_seen_to_fall(card: Card, witnesses: Path) -> None:
    found = confirmed(card, witnesses)
    assert len(found) == sum(kind_of(m.condition).leaves_witness(m.condition) for m in card.measurements)
    assert all(one.confirmed for one in found)
    assert all(one.fallen > 20 for one in found)  # else the test shows little


def test_a_witness_of_a_grid_shows_every_epsilon_and_keeps_to_them(tmp_path: Path) -> None:
    card = robench.evaluate(
        "tr_none_c", "digits", "robench-v1", conditions="attack/pgd", twin="none", n_images=32, witness=tmp_path
    )
    found = confirmed(card, tmp_path)
    assert len(found) == len(card.measurements)
    assert all(one.confirmed for one in found)
    (path,) = tmp_path.glob("*.npz")
    arrays = dict(np.load(path))
    assert arrays["deltas"].dtype == np.int8
    arrays["levels"] = np.zeros_like(arrays["levels"])  # as if all fell within the smallest epsilon
    np.savez_compressed(path, **arrays)
    smallest = min(found, key=lambda one: one.measurement.condition.level or 0)
    large = [one for one in confirmed(card, tmp_path) if one.measurement.condition != smallest.measurement.condition]
    assert any(not one.confirmed for one in large)


def test_bits_that_were_turned(tmp_path: Path) -> None:
    suite = suite_of({"fault": ["bit_flip_attack@4"]})
    card = robench.evaluate("int8_resnet20", "digits", suite, twin="none", n_images=64, witness=tmp_path)
    (one,) = confirmed(card, tmp_path)
    assert one.confirmed
    assert one.fallen == 64 - card.measurements[1].correct
    (path,) = tmp_path.glob("*.npz")
    arrays = dict(np.load(path))
    assert len(arrays["bits"]) == dict(card.measurements[1].numbers)["flips"]
    np.savez_compressed(path, **arrays | {"bits": arrays["bits"][:0], "tensor": arrays["tensor"][:0]})
    (one,) = confirmed(card, tmp_path)
    assert not one.confirmed
    more = {"bits": np.arange(99), "tensor": np.zeros(99, np.int32)}
    np.savez_compressed(path, **arrays | more)
    (one,) = confirmed(card, tmp_path)
    assert len(one.standing) == one.fallen  # more flips than the card says


def test_images_that_did_not_fall_are_not_confirmed(card: Card, witnesses: Path) -> None:
    def worse(m: Measurement) -> Measurement:
        return replace(m, rounded=np.zeros_like(m.rounded)) if len(m.rounded) else m

    found = confirmed(replace(card, measurements=tuple(map(worse, card.measurements))), witnesses)
    assert any(one.standing for one in found)


def test_a_witness_of_another_model_is_none(card: Card, witnesses: Path, tmp_path: Path) -> None:
    other = robench.evaluate("tr_none_c", "digits", card.suite, twin="none", n_images=64)
    assert {one.problem for one in confirmed(other, witnesses)} == {"there is no witness"}
    copied = tmp_path / "copied"
    shutil.copytree(witnesses, copied)
    with again(other) as work:
        for measurement, task in work.pairs:
            if measurement.condition.kind == "attack":  # under the name that is looked for
                shutil.copy(next(copied.glob(f"bc_resnet20.digits.{task.condition.name}.*")), path_of(task, copied))
        problems = {one.problem for one in confirm(work, copied) if one.measurement.condition.kind == "attack"}
    assert all("is of another model, other images or another search" in problem for problem in problems)


def test_a_perturbation_beyond_its_budget_shows_nothing(card: Card, witnesses: Path, tmp_path: Path) -> None:
    shutil.copytree(witnesses, tmp_path / "large")
    for path in (tmp_path / "large").glob("bc_resnet20.*.npz"):
        arrays = dict(np.load(path))
        if "deltas" in arrays:
            np.savez_compressed(path, **arrays | {"deltas": np.where(arrays["deltas"] > 0, 100, -100).astype(np.int8)})
    found = [one for one in confirmed(card, tmp_path / "large") if one.measurement.condition.kind == "attack"]
    assert found
    assert not any(one.confirmed for one in found)


@pytest.mark.parametrize(
    "edit",
    [
        {"deltas": np.zeros((1, 2), np.int8)},
        {"images": np.array([10**6], np.int32)},
        {"levels": np.array([99], np.uint16)},
        {"deltas": np.zeros((1, 3, 32, 32), np.float32)},
    ],
)
def test_arrays_that_do_not_fit_are_one_sentence(edit: dict[str, np.ndarray], card: Card) -> None:
    good = {
        "images": np.zeros(1, np.int32),
        "levels": np.zeros(1, np.uint16),
        "deltas": np.zeros((1, 3, 32, 32), np.int8),
    }
    with again(card) as work:
        measurement, task = next(pair for pair in work.pairs if pair[0].condition.kind == "attack")
        with pytest.raises(RobenchError, match="it is no witness of"):
            kind_of(task.condition).confirm(task, measurement, good | edit)


def test_a_stopped_run_makes_the_witnesses_that_are_missing(tmp_path: Path) -> None:
    store, folder = tmp_path / "store.sqlite", tmp_path / "witness"
    settings = {"twin": "none", "n_images": 16, "conditions": "attack/fgsm", "store": store}
    robench.evaluate("tr_none_c", "digits", "quick", **settings)
    assert not folder.exists()
    robench.evaluate("tr_none_c", "digits", "quick", witness=folder, **settings)
    assert len(list(folder.glob("*.npz"))) == 1


def typed(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


def test_the_command(attacked: Path, witnesses: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    done = typed("confirm", str(attacked), "--witness", str(witnesses), "--record", str(board))
    assert done.exit_code == 0
    assert "confirmed: " in done.stdout
    (check,) = json.loads((board / "checks.json").read_text())["checks"]
    assert check["state"] == "confirmed by witness"
    (tmp_path / "empty").mkdir()
    failed = typed("confirm", str(attacked), "--witness", str(tmp_path / "empty"))
    assert failed.exit_code == 2
    assert "are not confirmed" in failed.stderr
