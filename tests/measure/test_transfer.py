"""Adversarial images of the other model of a pair, as an attack of its own."""

from dataclasses import replace

import numpy as np

import robench
from robench.attacks.comparisons import doubts
from robench.core.types import Condition, Measurement
from robench.results.cards import Card
from robench.suites.one_line import suite_of

SUITE = suite_of({"attack": ["pgd@48/255,steps=10", "pgd@48/255,steps=10,via=twin"]})


def of(card: Card, via: str) -> Measurement:
    (found,) = (m for m in card.measurements if m.condition.kind == "attack" and m.condition.setting("via") == via)
    return found


def test_each_model_of_a_pair_meets_the_images_of_the_other() -> None:
    card = robench.evaluate("bc_resnet20", "digits", SUITE, n_images=64)
    assert card.twin_card is not None
    for each in (card, card.twin_card):
        own, lent = of(each, ""), of(each, "twin")
        assert own.correct <= lent.correct < 64  # transfer is weaker, and fools some
    alone = robench.evaluate("bc_resnet20", "digits", SUITE, n_images=64, twin="none")
    assert of(alone, "twin").flags[0].startswith("n/a: there is no other model of its pair")


def test_a_transfer_that_fools_more_is_a_reason_to_doubt() -> None:
    card = robench.evaluate("bc_resnet20", "digits", SUITE, n_images=64)

    def masked(m: Measurement) -> Measurement:
        hides = m.condition.kind == "attack" and not m.condition.setting("via")
        return replace(m, top1=np.ones_like(m.top1)) if hides else m

    own: Condition = of(card, "").condition
    (doubt,) = doubts(replace(card, measurements=tuple(map(masked, card.measurements))), own)
    assert doubt.startswith("images made on its twin (pgd) beat it by ")
    assert doubts(card, own) == []
