import numpy as np
import pytest

from robench.core.types import Condition, Measurement

PGD = Condition("attack", "pgd", 8 / 255, (("steps", 20),))


def test_key_is_stable_text() -> None:
    assert PGD.key == "attack/pgd/0.0313725?steps=20"
    assert Condition("clean", "clean").key == "clean/clean"
    assert Condition("corruption", "gaussian", 3).key == "corruption/gaussian/3"


@pytest.mark.parametrize(
    "pattern", ["*", "attack/*", "*/pgd", "attack/pgd", "attack/pgd/0.0313725", PGD.key, "attack", "clean,*/pgd"]
)
def test_patterns_that_match(pattern: str) -> None:
    assert PGD.matches(pattern)


@pytest.mark.parametrize("pattern", ["corruption/*", "attack/fgsm", "pgd", "attack/pgd/0.03", "clean,corruption"])
def test_patterns_that_do_not_match(pattern: str) -> None:
    assert not PGD.matches(pattern)


def test_draws_are_not_part_of_a_condition() -> None:
    assert Condition("distortion", "gaussian", 0.1, draws=3) == Condition("distortion", "gaussian", 0.1, draws=10)


def test_counts_come_from_outcomes() -> None:
    top1, top5 = np.array([True, False, True]), np.array([True, True, True])
    measurement = Measurement(PGD, 0, top1, top5)
    assert (measurement.correct, measurement.correct_top5, measurement.total) == (2, 3, 3)
