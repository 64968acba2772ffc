"""The networks, how robustness is measured, and what a card gives by each measure.

A measure gives a matrix [levels, images]: which images are right at each epsilon, or under each noise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from robench.core.types import CLEAN, Bits, Condition, Floats, ResultCard
from robench.results import stats
from robench.results.stats import Estimate
from robench.results.summary import NOT_APPLICABLE, by_level, outcomes_of, together

COMMAND = "robench reproduce robustmq"
TWIN = "fp_resnet20"
LOW_BIT = (
    "int8_resnet20",
    "w8a8_resnet20",
    "int4_resnet20",
    "ttq_resnet20",
    "twn_resnet20",
    "bwn_resnet20",
    "bc_resnet20",
    "bnn_resnet20",
)
HARDENED, HARDENED_TWIN = "at_twn_resnet20", "at_fp_resnet20"
SEEDED = "twn_resnet20"
SEEDS = ("", "_seed1", "_seed2")
MODELS = (
    TWIN,
    *LOW_BIT,
    HARDENED_TWIN,
    HARDENED,
    *(f"{name}{seed}" for name in (TWIN, SEEDED) for seed in SEEDS[1:]),
)
CHAIN = (TWIN, "int8_resnet20", "int4_resnet20", SEEDED, "bwn_resnet20")
"""Networks whose weights alone are quantized, from 32 bits to 1."""


def fgsm(card: ResultCard) -> Bits | None:
    """Right at each epsilon, by FGSM."""
    return _by_level(card, [c for c in _attacks(card) if c.name == "fgsm"])


def pgd(card: ResultCard) -> Bits | None:
    """Right at each epsilon, by PGD with 20 steps."""
    return _by_level(card, [c for c in _attacks(card) if c.name == "pgd"])


def protocol(card: ResultCard) -> Bits | None:
    """Right at each epsilon and at every smaller one, whatever attack of the suite is tried."""
    found = _by_level(card, _attacks(card))
    return None if found is None else np.logical_and.accumulate(found)


def noise(card: ResultCard) -> Bits | None:
    """Right under each noise and severity."""
    outcomes = [outcomes_of(card, together(c)) for c in card.suite.conditions if c.kind == "corruption"]
    rows = [rows for rows in outcomes if not isinstance(rows, str)]
    return np.concatenate(rows) if rows and len(rows) == len(outcomes) else None


Measure = Callable[[ResultCard], Bits | None]
ATTACKS: Mapping[str, Measure] = {"FGSM": fgsm, "PGD": pgd, "protocol": protocol}
"""Name -> measure: as such studies measure, and as it should be measured."""
MEASURES: Mapping[str, Measure] = {**ATTACKS, "noise": noise}


def levels(card: ResultCard) -> list[float]:
    """The epsilons of the suite, ascending."""
    return sorted({condition.level or 0.0 for condition in _attacks(card)})


def _attacks(card: ResultCard) -> list[Condition]:
    return [condition for condition in card.suite.conditions if condition.kind == "attack"]


def _by_level(card: ResultCard, conditions: Sequence[Condition]) -> Bits | None:
    """Which images stand against all of the attacks at each epsilon; None where one was not measured.

    An attack that does not apply (no twin, no step to be smoothed) takes nothing from the others.
    """
    outcomes = [(condition, outcomes_of(card, together(condition))) for condition in conditions]
    known = [(condition, rows) for condition, rows in outcomes if not isinstance(rows, str)]
    others = {rows for _, rows in outcomes if isinstance(rows, str)}
    all_levels = {condition.level for condition, _ in known} == {condition.level for condition in conditions}
    return by_level(known) if known and all_levels and others <= {NOT_APPLICABLE} else None


def right(card: ResultCard) -> Bits | None:
    """Right without noise or attack."""
    outcomes = outcomes_of(card, together(CLEAN))
    return None if isinstance(outcomes, str) else np.asarray(outcomes[0])


@dataclass(frozen=True)
class Gap:
    """A difference with its 95% interval over images, and the p-value of none."""

    value: Estimate
    p: float


Compared = Callable[[ResultCard, ResultCard, Measure], Gap | None]
"""A network, its twin and a measure -> how much more the first has of something; None where one was not measured."""


def over_levels(values: Floats) -> Gap:
    """The mean of a matrix [levels, images]; the levels are fixed."""
    by_image = values.mean(0, keepdims=True)
    return Gap(stats.crossed_mean(by_image), stats.crossed_p(by_image))


def mean_accuracy(rows: Bits) -> Estimate:
    """The mean over levels and images, with an interval that lies in [0, 1]."""
    return over_levels(rows.astype(float)).value.as_share()


def beyond(card: ResultCard, twin: ResultCard, measure: Measure) -> Gap | None:
    """How much more accurate a network is than its twin, mean over levels."""
    ours, theirs = measure(card), measure(twin)
    if ours is None or theirs is None or card.data != twin.data:
        return None
    return over_levels(ours.astype(float) - theirs)


def beyond_of_both(card: ResultCard, twin: ResultCard, measure: Measure) -> Gap | None:
    """The same over the images that both get right without an attack."""
    ours, theirs, clean, twin_clean = measure(card), measure(twin), right(card), right(twin)
    if ours is None or theirs is None or clean is None or twin_clean is None or card.data != twin.data:
        return None
    both = clean & twin_clean
    return over_levels(ours[:, both].astype(float) - theirs[:, both]) if both.any() else None


def missed(card: ResultCard, measure: Measure) -> Bits | None:
    """What a measure leaves standing that falls by the protocol, [levels, images]."""
    found, known = measure(card), protocol(card)
    return None if found is None or known is None else found & ~known


def flattered(card: ResultCard, twin: ResultCard, measure: Measure) -> Gap | None:
    """How much more a measure leaves standing of a network than of its twin, of what falls by the protocol."""
    ours, theirs = missed(card, measure), missed(twin, measure)
    if ours is None or theirs is None or card.data != twin.data:
        return None
    return over_levels(ours.astype(float) - theirs)


def pairs(known: Mapping[str, ResultCard]) -> Iterator[tuple[ResultCard, ResultCard]]:
    """(network, full-precision twin) of the networks of the first training, and of those trained against attacks."""
    for name in (*LOW_BIT, HARDENED):
        if name in known and (twin := known.get(known[name].twin[0])):
            yield known[name], twin


def corrected(known: Mapping[str, ResultCard], compared: Compared, measure: Measure) -> dict[tuple[str, str], Gap]:
    """(network, twin) -> difference, where it was measured, with p-values after Holm's correction over the networks."""
    found = {(card.model.name, twin.model.name): compared(card, twin, measure) for card, twin in pairs(known)}
    gaps = {names: gap for names, gap in found.items() if gap is not None}
    adjusted = stats.holm([gap.p for gap in gaps.values()])
    return {names: Gap(gap.value, p) for (names, gap), p in zip(gaps.items(), adjusted, strict=True)}


def per_halving(cards: Mapping[str, ResultCard], measure: Measure) -> Gap | None:
    """The slope of accuracy on the number of times that 32 bits are halved, of CHAIN, paired by image.

    Least squares for each image, and the mean over images. None where a network of the chain was not measured.
    """
    if not set(CHAIN) <= set(cards):
        return None
    rows = [measure(cards[name]) for name in CHAIN]
    known = [row for row in rows if row is not None]
    if len(known) < len(CHAIN):
        return None
    halvings = np.array([round(log2(32 / cards[name].model.bits)) for name in CHAIN])
    # Whole numbers are added and divided once: slopes that cancel are 0, and no rounding error gets a p-value.
    weights = len(CHAIN) * halvings - halvings.sum()
    scale = int((weights * halvings).sum()) * len(known[0])
    found = over_levels((weights @ np.stack([row.sum(0) for row in known]))[None])
    return Gap(Estimate(found.value.value / scale, found.value.low / scale, found.value.high / scale), found.p)
