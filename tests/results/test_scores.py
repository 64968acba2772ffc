"""Scores by hand, on outcomes that are written down, and what would be gained by gaming them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robench import suites
from robench.core.types import CLEAN, Condition, DataCard, Measurement, ModelCard, ResultCard, Suite
from robench.results import cards
from robench.results.scores import parts, score, score_difference, score_p
from robench.results.stats import Estimate, mcnemar, paired_difference, wilson
from robench.results.summary import MISSING, NOT_APPLICABLE

CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"
N = 100


def value(found: Estimate | str) -> float:
    assert isinstance(found, Estimate)
    return found.value


def noise(name: str, level: float) -> Condition:
    return Condition("corruption", name, level)


def attack(name: str, level: float, **params: int | str) -> Condition:
    return Condition("attack", name, level, tuple(sorted(params.items())))


def weights(name: str, level: float | None, draws: int = 1, *, random: bool = True) -> Condition:
    return Condition("distortion", name, level, draws=draws, facts=(("random", random),))


def make(outcomes: dict[Condition, list[np.ndarray]], name: str = "mine") -> ResultCard:
    """A card with these outcomes, one array a draw."""
    rows = tuple(Measurement(c, draw, top1, top1) for c, found in outcomes.items() for draw, top1 in enumerate(found))
    suite = Suite("mine", 1, N, 0, tuple(outcomes))
    return ResultCard(ModelCard(name, sha256=name), suite, DataCard("d", "here", N, "f"), rows)


def first(count: int) -> np.ndarray:
    """The first ``count`` images are right."""
    return np.arange(N) < count


def test_every_family_has_the_same_weight_however_many_levels_it_has() -> None:
    card = make({
        CLEAN: [first(90)],
        noise("gaussian", 1): [first(80)],
        noise("gaussian", 2): [first(60)],
        noise("speckle", 1): [first(40)],
    })  # fmt: skip
    assert parts(card.suite) == {"noise": card.suite.conditions[1:]}
    assert value(score(card, "noise")) == pytest.approx((0.7 + 0.4) / 2)


def test_an_image_stands_only_where_every_attack_of_a_norm_fails_at_every_smaller_budget() -> None:
    fallen, other = first(50), ~first(20)
    card = make({
        attack("fgsm", 1 / 255): [fallen],
        attack("pgd", 1 / 255): [other],
        attack("fgsm", 2 / 255): [first(100)],  # gradients that vanish at the larger budget
        attack("pgd", 0.5, norm="l2"): [first(10)],
    })  # fmt: skip
    assert value(score(card, "attacks")) == pytest.approx(((0.3 + 0.3) / 2 + 0.1) / 2)


def test_a_weak_attack_more_changes_no_score() -> None:
    strong = {attack("pgd", level / 255): [first(60 // level)] for level in (1, 2)}
    weak = {attack("fgsm", level / 255): [first(95)] for level in (1, 2)}
    assert score(make(strong | weak), "attacks") == score(make(strong), "attacks")


def test_what_a_kind_leaves_out_is_in_no_score() -> None:
    search = Condition("attack", "bim", 0.1, facts=(("distance", True),))
    sign = weights("sign", None, random=False)
    flips = Condition("fault", "bit_flip_attack", 1000, facts=(("acts_on", "search"),))
    mended = Condition("fault", "bit_error", 0.1, facts=(("acts_on", "bits"), ("protection", "secded")))
    chance = Condition("fault", "bit_error", 0.1, facts=(("acts_on", "bits"), ("protection", "none")))
    suite = Suite("mine", 1, N, 0, (CLEAN, search, sign, flips, mended, chance))
    assert parts(suite) == {"memory": (chance,)}


def test_the_shipped_suites_have_the_parts_that_their_conditions_are_of() -> None:
    found = {name: parts(suites.load(name)) for name in suites.names()}
    assert list(found["robench-v1"]) == ["noise", "attacks", "weights"]
    assert list(found["quick"]) == ["noise", "attacks", "weights", "memory"]
    assert {c.name for c in found["robench-memory"]["memory"]} == {"bit_error", "random_flips", "stuck", "pcm", "reram"}
    assert {c.name for c in found["robench-eps"]["attacks"]} == {"pgd"}


def test_there_is_no_score_of_a_part_of_the_conditions() -> None:
    pair = {noise("gaussian", 1): [first(80)], noise("speckle", 1): [first(0)]}
    card = make(pair)
    assert value(score(card, "noise")) == pytest.approx(0.4)
    assert score(replace(card, measurements=card.measurements[:1]), "noise") == MISSING
    nothing = np.zeros(0, bool)
    empty = replace(card.measurements[1], top1=nothing, top5=nothing)
    assert score(replace(card, measurements=(card.measurements[0], empty)), "noise") == NOT_APPLICABLE
    assert score(card, "weights") == MISSING
    assert score_difference(card, replace(card, data=replace(card.data, fingerprint="e")), "noise") == MISSING


def test_draws_are_averaged_and_their_spread_is_in_the_interval() -> None:
    steady = make({weights("gaussian", 0.1, 4): [first(50)] * 3 + [first(51)]})
    spread = make({weights("gaussian", 0.1, 4): [first(20), first(80), first(30), first(70)]})
    near, wide = score(steady, "weights"), score(spread, "weights")
    assert value(near) == pytest.approx(0.5025)
    assert value(wide) == pytest.approx(0.5)
    assert isinstance(near, Estimate)
    assert isinstance(wide, Estimate)
    assert wide.high - wide.low > 2 * (near.high - near.low)


def test_where_all_outcomes_are_the_same_it_is_the_interval_and_test_of_one_condition() -> None:
    ours, theirs = (make({noise("gaussian", s): [first(right)] for s in (1, 2)}) for right in (0, 90))
    assert score(ours, "noise") == wilson(0, N)
    assert score_difference(ours, theirs, "noise") == paired_difference(first(0), first(90))
    assert score_p(ours, theirs, "noise") == mcnemar(first(0), first(90))
    assert score_p(ours, ours, "noise") == 1


def test_the_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((2, N)) < 0.5
    theirs = {noise("gaussian", s): [images[s - 1]] for s in (1, 2)}
    ours = {c: [np.where(first(3), True, rows[0])] for c, rows in theirs.items()}
    gap, alone = score_difference(make(ours), make(theirs), "noise"), score(make(ours), "noise")
    assert isinstance(gap, Estimate)
    assert isinstance(alone, Estimate)
    assert gap.value == pytest.approx(value(alone) - value(score(make(theirs), "noise")))
    assert gap.high - gap.low < 0.5 * (alone.high - alone.low)


def test_on_a_published_card_the_score_is_the_mean_of_what_the_board_shows() -> None:
    card = cards.read(CARDS / "twn_resnet20.cifar10.robench-v1.n1017.json")
    corruptions = [c for c in card.suite.conditions if c.kind == "corruption"]
    assert value(score(card, "noise")) == pytest.approx(np.mean([card.of(c)[0].top1.mean() for c in corruptions]))
    noises = [c for c in card.suite.conditions if c.kind == "distortion" and c.draws == 10]
    assert value(score(card, "weights")) == pytest.approx(np.mean([m.top1.mean() for c in noises for m in card.of(c)]))
    pgd = [c for c in card.suite.conditions if c.name == "pgd"]
    assert value(score(card, "attacks")) <= np.mean([card.of(c)[0].top1.mean() for c in pgd])
