"""A fault on the shipped networks: what changes, what nests, what is put back, what is refused."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from robench import suites, zoo
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.loaded import LoadedModel
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.faults import DoesNotApplyError
from robench.faults.apply import check, chip, strike, struck
from robench.faults.chips import below
from robench.faults.kind import FaultKind
from robench.measure.measure import measure

CPU = torch.device("cpu")


def condition(name: str = "bit_error", level: float | None = 0.01, **params: str | float | bool) -> Condition:
    return Condition("fault", name, level, tuple(sorted(params.items())))


@pytest.fixture(scope="module")
def twn() -> LoadedModel:
    return zoo.load("twn_resnet20", "digits", 10)


@pytest.fixture(scope="module")
def int8() -> LoadedModel:
    return zoo.load("int8_resnet20", "digits", 10)


@pytest.fixture(scope="module")
def fp() -> LoadedModel:
    return zoo.load("fp_resnet20", "digits", 10)


def test_as_many_bits_flip_as_are_expected(twn: LoadedModel) -> None:
    bits = sum(w.values.numel() * w.bits for w in twn.stored.values() if w.is_coded)
    for rate in (1e-4, 1e-2, 0.1):
        numbers = strike(twn.module, twn.stored, condition(level=rate), 0).numbers
        assert numbers["bits"] == bits
        assert abs(numbers["flips"] - rate * bits) < 4 * math.sqrt(bits * rate * (1 - rate))


def test_errors_nest_in_the_rate_and_differ_between_chips(int8: LoadedModel) -> None:
    def changed(rate: float, draw: int = 0) -> set[tuple[str, int]]:
        found = strike(int8.module, int8.stored, condition(level=rate), 0, draw).values
        sound = int8.module.state_dict()
        return {
            (name, i) for name, v in found.items() for i in (v != sound[name]).flatten().nonzero().flatten().tolist()
        }

    assert changed(1e-4) < changed(1e-3)
    assert not changed(1e-4) <= changed(1e-3, draw=1)


def test_the_errors_of_an_independent_computation(int8: LoadedModel) -> None:
    """Codes turned bit by bit, from the patterns of the file and the same chip."""
    found = strike(int8.module, int8.stored, condition(level=1e-3), 0)
    places, _ = below(found.numbers["bits"], 1e-3, partial(chip, 0, "bit_error", 0))
    turned, start = set(places.tolist()), 0
    for name, stored in int8.stored.items():
        if not stored.is_coded:
            continue
        codes = stored.values.flatten().tolist()
        for place in [p for p in turned if start <= p < start + 8 * len(codes)]:
            weight, bit = divmod(place - start, 8)
            byte = (codes[weight] & 255) ^ (128 >> bit)
            codes[weight] = byte - 256 if byte > 127 else byte
        start += 8 * len(codes)
        scale = stored.scale[0].view(-1, 1)
        expected = torch.tensor(codes).view(len(scale), -1) * scale
        value = found.values.get(name, stored.weight())
        assert value.view(len(scale), -1).equal(expected)


@pytest.mark.parametrize(
    ("zero_to_one", "one_to_zero", "moves"),
    [(1.0, 0.0, {(-1, 0), (-1, 1), (1, 0)}), (0.0, 1.0, {(1, -1), (0, -1)})],
    ids=["rise", "fall"],
)
def test_errors_of_one_direction_move_ternary_codes_in_one(twn, zero_to_one, one_to_zero, moves) -> None:
    """00, 01, 10 are -1, 0, +1, and 11 reads as 0: a bit that rises takes -1 up, one that falls takes +1 down."""
    found = strike(twn.module, twn.stored, condition(level=0.1, zero_to_one=zero_to_one, one_to_zero=one_to_zero), 0)
    sound = twn.module.state_dict()
    for name, value in found.values.items():
        changed = value != sound[name]
        was, now = sound[name].sign()[changed], value.sign()[changed]
        assert set(zip(was.tolist(), now.tolist(), strict=True)) <= moves


def test_everything_is_put_back_bit_for_bit(fp: LoadedModel) -> None:
    before = {name: tensor.clone() for name, tensor in fp.module.state_dict().items()}
    for scope in ("weights", "storage"):
        with struck(fp.module, fp.stored, condition(level=0.01, scope=scope), 0) as result:
            assert result.values
        with pytest.raises(ZeroDivisionError), struck(fp.module, fp.stored, condition("stuck", 0.1), 0):
            1 / 0  # noqa: B018
    assert all(torch.equal(tensor, before[name]) for name, tensor in fp.module.state_dict().items())


def test_storage_holds_scales_and_batch_norm_too(twn: LoadedModel) -> None:
    weights = strike(twn.module, twn.stored, condition(level=1e-3), 0)
    storage = strike(twn.module, twn.stored, condition(level=1e-3, scope="storage"), 0)
    tensors = twn.module.state_dict()
    floats = sum(t.numel() for name, t in tensors.items() if t.is_floating_point() and name not in twn.stored)
    stored_floats = sum(w.values.numel() for w in twn.stored.values() if not w.is_coded)
    scales = sum(w.scale.numel() for w in twn.stored.values() if w.scale is not None)
    assert storage.numbers["bits"] - weights.numbers["bits"] == 32 * (floats + stored_floats + scales)
    assert any("running_var" in name for name in storage.values)


def test_one_bit_of_the_exponent_makes_a_float_useless(fp: LoadedModel) -> None:
    found = strike(fp.module, fp.stored, condition(level=1e-3), 0)
    assert max(float(value.abs().nan_to_num(3e38).max()) for value in found.values.values()) > 1e37
    bfloat16 = strike(fp.module, fp.stored, condition(level=0.0, encoding="bfloat16"), 0)
    assert bfloat16.numbers["bits"] == 16 * 267_264


@pytest.mark.parametrize(
    ("name", "level", "params", "sentence"),
    [
        ("bit_error", 1.5, {}, "from 0 to 1, not 1.5"),
        ("bit_error", -0.1, {}, "from 0 to 1, not -0.1"),
        ("bit_error", math.nan, {}, "from 0 to 1, not nan"),
        ("bit_error", None, {}, "needs a level"),
        ("bit_error", 0.1, {"protection": "hope"}, "protection must be 'none', 'secded', 'triple' or 'in_place'"),
        ("bit_error", 0.1, {"scope": "inner"}, "scope must be 'weights' or 'storage'"),
        ("bit_error", 0.1, {"encoding": "gray"}, "no encoding is named 'gray'"),
        ("bit_error", 0.1, {"unused": 2}, "unused must be at most 1"),
        ("bit_error", 0.1, {"zero_to_one": 1.5}, "zero_to_one must be at most 1"),
        ("bit_error", 0.1, {"protecton": "none"}, "did you mean protection"),
        ("bit_error", 0.1, {"protection": "in_place", "scope": "storage"}, "for the weights alone"),
        ("random_flips", 1.5, {}, "a whole number from 0"),
        ("bit_flip_attack", -1, {}, "a whole number from 0"),
        ("pcm", -1.0, {}, ">= 0, not -1.0"),
        ("pcm", math.inf, {}, "not inf"),
        ("reram", 1e9, {}, "from 1 to 172800"),
        ("stuck", 0.1, {"lrs": -1.0}, "lrs must be at least 0"),
        ("cosmic_ray", 0.1, {}, "no fault is named 'cosmic_ray'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(name: str, level: float, params: dict, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        check(condition(name, level, **params))


@pytest.mark.parametrize(
    ("model", "params", "sentence"),
    [
        ("twn", {"protection": "in_place"}, "needs weights of 8 bits"),
        ("fp", {"protection": "in_place"}, "needs weights of 8 bits"),
        ("twn", {"encoding": "sign"}, "has 1 bits, not 2"),
        ("fp", {"encoding": "twos_complement"}, "is for codes"),
        ("int8", {"encoding": "bfloat16"}, "has 16 bits, not 8"),
    ],
)
def test_what_a_model_cannot_have_does_not_apply(request, model: str, params: dict, sentence: str) -> None:
    loaded = request.getfixturevalue(model)
    with pytest.raises(DoesNotApplyError, match=sentence):
        strike(loaded.module, loaded.stored, condition(**params), 0)


def test_a_measurement_counts_and_says_why_there_is_none(twn: LoadedModel, digits: Dataset) -> None:
    tested = prepare(twn, digits, CPU)
    few = digits.first(64)
    sound = measure(Task(tested, few, Condition("clean", "clean"), 0, 0, 64))
    none = measure(Task(tested, few, condition(level=0.0), 0, 0, 64))
    assert (none.top1 == sound.top1).all()
    assert dict(none.numbers)["flips"] == 0
    lost = measure(Task(tested, few, condition(level=0.5), 0, 0, 64))
    assert lost.correct < sound.correct / 2
    again = measure(Task(tested, few, condition(level=0.0), 1, 0, 64))
    assert (again.top1 == sound.top1).all()
    refused = measure(Task(tested, few, condition(protection="in_place"), 0, 0, 64))
    assert refused.total == 0
    assert refused.flags[0].startswith("n/a: in-place protection needs")
    many = measure(Task(tested, few, condition("random_flips", 1e8), 0, 0, 64))
    assert many.flags == ("n/a: the memory has 534,528 bits, fewer than 100,000,000",)


def test_values_that_are_no_numbers_are_wrong_guesses(fp: LoadedModel, digits: Dataset) -> None:
    tested = prepare(fp, digits, CPU)
    found = measure(Task(tested, digits.first(32), condition(level=0.05), 0, 0, 32))
    assert found.total == 32
    assert found.correct <= 8


def test_a_suite_of_faults_is_resolved_with_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'name = "m"\nversion = 1\nn_images = 5\nseed = 0\n[[conditions]]\nkind = "fault"\nnames = ["bit_error"]\n'
        "levels = [1e-3, 1e-2]\ndraws = 10\n"
    )
    first, _ = suites.load(str(tmp_path / "s.toml")).conditions
    assert first.fact("protection") == "none"
    assert first.fact("scope") == "weights"
    assert first.key == "fault/bit_error/0.001"
    axis = FaultKind().axis(first)
    assert (axis.name, axis.log, axis.from_clean) == ("bit error rate", True, True)
    assert np.isclose(FaultKind().x(first), 1e-3)


def test_settings_are_told_in_words() -> None:
    label = FaultKind().label
    assert label(condition(level=1e-3, protection="secded", scope="storage")) == "bit_error (secded, storage) 0.001"
    known = FaultKind().resolve(condition("pcm", 3600, compensation=False))
    assert label(known) == "pcm (no compensation) 1 h"
    times = {1: "1 s", 90: "90 s", 120: "2 min", 172_800: "2 d", 31_536_000: "365 d", 0.5: "0.5 s", 0: "0 s"}
    assert {time: FaultKind().level(replace(known, level=time)) for time in times} == times
    assert label(condition("stuck", 0.05, lrs=5.17, hrs=1.0)) == "stuck (hrs 1, lrs 5.17) 0.05"
