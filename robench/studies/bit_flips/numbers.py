"""The networks, what the papers publish, and what tables, figures and claims take from a card."""

from dataclasses import dataclass

from robench.core.types import Condition, ResultCard
from robench.results import memory
from robench.results.memory import outcomes_with_sound
from robench.results.stats import Estimate, crossed_mean, crossed_p

COMMAND = "robench reproduce bit-flips"
TWIN, TRAINED = "int8_resnet20", "be_int8_resnet20"
TERNARY, TRAINED_TERNARY = "twn_resnet20", "be_twn_resnet20"
MODELS = (
    TWIN,
    "int6_resnet20",
    "int4_resnet20",
    TERNARY,
    "twn_per_layer_resnet20",
    "ttq_resnet20",
    "bwn_resnet20",
    "bc_resnet20",
    TRAINED,
    TRAINED_TERNARY,
    "be_bwn_resnet20",
)


@dataclass(frozen=True)
class Published:
    """Of ResNet-20 on CIFAR-10 (Rakin, He and Fan; the table of their code for CVPR 2020): flips to chance.

    Attributes:
        flips, spread: mean and standard deviation over five runs.
        accuracy: without flips, in percent.
    """

    flips: float
    spread: float
    accuracy: float


RAKIN = {
    8: Published(28.0, 4.5, 91.84),
    6: Published(29.3, 2.4, 92.21),
    4: Published(40.8, 6.3, 91.33),
    1: Published(541.2, 49.8, 88.36),
}
"""Bits of a weight -> what is published; there is no row for ternary networks."""
STUTZ = {
    "Normal": {0.0: 4.8, 1e-4: 9.65},
    "RQuant": {0.0: 4.4, 1e-4: 4.75, 1e-3: 5.7, 5e-3: 10.8},
    "Clipping": {0.0: 4.7, 1e-4: 4.9, 1e-3: 5.4, 5e-3: 6.85, 1e-2: 9.2},
    "RandBET": {0.0: 5.35, 1e-4: 5.5, 1e-3: 5.85, 5e-3: 6.7, 1e-2: 7.75, 1.5e-2: 9.15, 2e-2: 11.85},
}
"""Training -> bit error rate -> test error in percent of SimpleNet, 5.5M weights of 8 bits, on CIFAR-10 (Stutz et al.
2021), read off a figure to 0.1; what is left out is above 12."""
SECOND, MONTH = 1.0, 2_592_000.0


def conditions(card: ResultCard, name: str, **params: bool) -> list[Condition]:
    """The suite's conditions of a name and settings, by level."""
    found = [c for c in card.suite.conditions if (c.name, dict(c.params)) == (name, params)]
    return sorted(found, key=lambda condition: condition.level or 0.0)


def attack(card: ResultCard) -> Condition:
    """The attack, whose level is the most flips."""
    (found,) = conditions(card, "bit_flip_attack")
    return found


def at_rate(card: ResultCard, rate: float) -> Condition:
    """Bits that flip at random with a probability."""
    return next(c for c in conditions(card, "bit_error") if c.level == rate)


def flips(card: ResultCard) -> list[int] | None:
    """Flips to chance, of each batch; None where one was not there within the level, or nothing was measured."""
    found = memory.flips_to_chance(card, attack(card))
    known = [number for number in found if number is not None]
    return known if known and len(known) == len(found) else None


def loss_beyond(card: ResultCard, twin: ResultCard, condition: Condition) -> tuple[Estimate, float] | None:
    """How much more a network loses than its twin, with its interval and p; None where one was not measured."""
    ours, theirs = (outcomes_with_sound(each, condition) for each in (card, twin))
    if isinstance(ours, str) or isinstance(theirs, str) or card.data != twin.data:
        return None
    losses = [sound.astype(float) - erring for sound, erring in (ours, theirs)]
    gap = losses[0] - losses[1]
    return crossed_mean(gap), crossed_p(gap)
