"""An attack that is given more must not achieve less."""

import re
from dataclasses import replace

import numpy as np
import pytest

from robench.attacks import ATTACKS, Attack, Traits
from robench.attacks.comparisons import doubts
from robench.core.kinds import kind_of
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard, Suite


def attack(name: str, epsilon: float = 8 / 255, **params: object) -> Condition:
    condition = Condition("attack", name, epsilon, tuple(sorted(params.items())))  # type: ignore[arg-type]
    return kind_of(condition).resolve(condition)


PGD = attack("pgd", steps=20)
OTHERS = {
    "a single step \\(fgsm\\) beats it by 10.0 points": attack("fgsm"),
    "a black-box attack \\(square\\) beats it by 10.0 points": attack("square"),
    "more steps \\(40\\) still help, by 10.0 points": attack("pgd", steps=40),
    "another loss \\(dlr\\) helps by 10.0 points": attack("pgd", loss="dlr", steps=20),
    "a smaller epsilon \\(4/255\\) beats it by 10.0 points": attack("pgd", 4 / 255, steps=20),
}


def card(other: Condition, ours: int, theirs: int) -> ResultCard:
    rows = tuple(
        Measurement(condition, 0, np.arange(100) < right, np.arange(100) < right)
        for condition, right in ((PGD, ours), (other, theirs))
    )
    suite = Suite("mine", 1, 100, 0, (PGD, other))
    return ResultCard(ModelCard("m"), suite, DataCard("d", "here", 100, "f"), rows)


@pytest.mark.parametrize("sentence", OTHERS)
def test_what_achieves_more_with_less_is_said(sentence: str) -> None:
    assert any(re.match(sentence, doubt) for doubt in doubts(card(OTHERS[sentence], 50, 40), PGD))


@pytest.mark.parametrize("sentence", OTHERS)
def test_a_point_or_an_advantage_raises_no_doubt(sentence: str) -> None:
    assert doubts(card(OTHERS[sentence], 50, 49), PGD) == []
    assert doubts(card(OTHERS[sentence], 40, 50), PGD) == []


def test_other_norms_and_larger_epsilons_are_not_compared() -> None:
    for other in (
        attack("fgsm", norm="l2"),
        attack("pgd", 16 / 255, steps=20),
        Condition("corruption", "gaussian", 1),
    ):
        assert doubts(card(other, 50, 10), PGD) == []


def blind(model: object, x: object, y: object, budget: object, rng: object) -> object:
    """A black-box attack of somebody else's."""
    return x


def test_a_black_box_attack_of_a_plug_in_is_known_for_one() -> None:
    with ATTACKS.temporarily("blind", Attack(blind, Traits(gradient=False))):
        theirs = attack("blind")
    ours = card(theirs, 50, 40)
    assert doubts(ours, PGD) == ["a black-box attack (blind) beats it by 10.0 points: gradients are hidden"]
    assert doubts(card(PGD, 40, 50), PGD) == []
    single = attack("fgsm")
    suite = replace(ours.suite, conditions=(theirs, single))
    rows = tuple(
        Measurement(c, 0, np.arange(100) < right, np.arange(100) < right) for c, right in ((theirs, 50), (single, 40))
    )
    assert doubts(replace(ours, suite=suite, measurements=rows), theirs) == []


def test_a_black_box_attack_of_torchattacks_is_known_for_one() -> None:
    assert attack("torchattacks:Square", n_queries=20).fact("gradient") is False
    assert attack("torchattacks:FGSM").fact("single_step") is True
    assert attack("torchattacks:PGD").fact("gradient") is True
