"""Faults of the memory that holds the weights. One file a family: a pure function of bits, or of conductances."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Interval

from robench.core.errors import RobenchError
from robench.core.registry import Registry

Addresses = npt.NDArray[np.int64]
Conductances = npt.NDArray[np.float32]
Streams = Callable[[str], np.random.Generator]
"""A name -> random numbers for one purpose; the same ones for every level, so that levels nest."""
Function = Callable[..., Any]
Share = Annotated[float, Interval(ge=0, le=1)]

TIME = "seconds after programming"
"""The level of a fault that is about time."""
ACTS_ON = ("bits", "conductances", "search")


class DoesNotApplyError(Exception):
    """A fault means nothing for this model; the message says why."""


@dataclass(frozen=True)
class Level:
    """What the level of a fault is.

    Attributes:
        name: with its unit, as the axis of a plot.
        low, high: the levels that make sense.
        whole: whether it counts something.
        from_clean: whether level 0 is the sound memory.
    """

    name: str
    low: float = 0.0
    high: float = float("inf")
    whole: bool = False
    from_clean: bool = True


@dataclass(frozen=True)
class BitSettings:
    """How the bits of a memory are written and protected; every fault of bits has these settings.

    Attributes:
        scope: "weights": the coded weights, or those of the same layers of a model in full precision. "storage": all
            that the file holds, with scales, biases and batch norm.
        encoding: of the weights as bit patterns (see ``robench.quantizers.encodings``); "" for that of the file.
        unused: what the pattern 11 of the ternary encoding reads as.
        protection: see ``robench.faults.protection``.
        detected: what becomes of a word in which errors are detected and cannot be mended: its weights are read as 0
            where there is a code for that ("zero"), or as they are ("keep").
    """

    scope: Literal["weights", "storage"] = "weights"
    encoding: str = ""
    unused: Annotated[int, Interval(ge=-1, le=1)] = 0
    protection: Literal["none", "secded", "triple", "in_place"] = "none"
    detected: Literal["zero", "keep"] = "zero"


@dataclass(frozen=True)
class Fault:
    """A registered fault.

    Attributes:
        function: of "bits": (cells, level, streams, **settings) -> addresses of the cells that flip. Of "conductances":
            (pairs, level, streams, **settings) -> pairs, float32 [2, ...] in [0, 1]. Of "search": (victim, level,
            streams, **settings) -> an iterator over the flips, some addresses at a time. Settings are keyword-only,
            annotated, and have defaults.
        level: what its level is.
        acts_on: one of ``ACTS_ON``.
    """

    function: Function
    level: Level
    acts_on: str = "bits"

    def __post_init__(self) -> None:
        if self.acts_on not in ACTS_ON:
            raise RobenchError(f"a fault cannot act on {self.acts_on!r}; choose {', '.join(ACTS_ON)}.")


FAULTS: Registry[Fault] = Registry("fault", "robench.faults")


def register(name: str, *, level: Level, acts_on: str = "bits") -> Callable[[Function], Function]:
    """Add a fault under ``name``; the settings are those of :class:`Fault`."""

    def add(function: Function) -> Function:
        FAULTS.add(name, Fault(function, level, acts_on))
        return function

    return add
