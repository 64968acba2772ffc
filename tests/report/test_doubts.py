"""An attack that is given more must not achieve less."""

import re

import numpy as np
import pytest

from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.report.doubts import doubts

PGD = Condition("attack", "pgd", 8 / 255, (("steps", 20),))
OTHERS = {
    "a single step \\(fgsm\\) beats it by 10.0 points": Condition("attack", "fgsm", 8 / 255),
    "a black-box attack \\(square\\) beats it by 10.0 points": Condition("attack", "square", 8 / 255),
    "more steps \\(40\\) still help, by 10.0 points": Condition("attack", "pgd", 8 / 255, (("steps", 40),)),
    "another loss \\(dlr\\) helps by 10.0 points": Condition(
        "attack", "pgd", 8 / 255, (("loss", "dlr"), ("steps", 20))
    ),
    "a smaller epsilon \\(4/255\\) beats it by 10.0 points": Condition("attack", "pgd", 4 / 255, (("steps", 20),)),
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
        Condition("attack", "fgsm", 8 / 255, (("norm", "l2"),)),
        Condition("attack", "pgd", 16 / 255, (("steps", 20),)),
        Condition("corruption", "gaussian", 1),
    ):
        assert doubts(card(other, 50, 10), PGD) == []
