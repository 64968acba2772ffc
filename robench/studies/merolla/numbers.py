"""The networks, and what tables, figures and claims take from a card."""

from math import log2

from robench.core.kinds import kind_of
from robench.core.types import Condition, ResultCard

COMMAND = "robench reproduce merolla"
CONTROL, CLIPPED, SIGN, STOCHASTIC = "tr_none_nc", "tr_none_c", "tr_sign_c", "tr_stochm3_c"
PROJECTED = (SIGN, "tr_round_c", "tr_power_c", STOCHASTIC)
LARGE = ("alexnet_none_nc", "alexnet_none_c")
WIDTHS = {2: ("tr_none_nc_x2", "tr_stochm3_c_x2"), 4: ("tr_none_nc_x4", "tr_stochm3_c_x4")}
"""The control and the network trained with random factors, so many times as wide."""
WIDE = tuple(name for names in WIDTHS.values() for name in names)
MODELS = (CONTROL, CLIPPED, *PROJECTED, *LARGE)
BITS, NOISE = 0.68, 0.8
"""Effective bits in the paper's abstract, and the noise, in units of a, at which a weight of +-a holds them."""


def effective_bits(noise: float, power: float = 1.0) -> float:
    """Shannon's capacity 1/2 log2(1 + P / s^2) of a weight of mean square P under gaussian noise s, in units of a."""
    return 0.5 * log2(1 + power / noise**2)


def conditions(card: ResultCard, name: str, *, recalibrated: bool) -> list[Condition]:
    """The suite's conditions of a name, by level."""
    found = [c for c in card.suite.conditions if c.name == name and kind_of(c).calibrates(c) == recalibrated]
    return sorted(found, key=lambda condition: condition.level or 0.0)


def condition(card: ResultCard, name: str, level: float | None = None, *, recalibrated: bool = False) -> Condition:
    """The one of that level."""
    return next(c for c in conditions(card, name, recalibrated=recalibrated) if c.level == level)
