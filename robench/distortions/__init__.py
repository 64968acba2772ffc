"""Changes of the deployed weights. One file a family: a pure function of one array."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robench.core.errors import RobenchError
from robench.core.registry import Registry

Weight = npt.NDArray[np.float32]
Function = Callable[[Weight, float, np.random.Generator], Weight]

SCOPES = ("inner", "all", "storage")
"""Which tensors: the weights of all layers but the first and the last; all weights; all that the file holds, with
scales, biases and batch norm."""
PARTS = ("values", "codes", "scales")
"""What of a weight: the float that it stands for; its integer codes, of which the nearest valid ones are taken
afterwards; the scales of its codes."""


@dataclass(frozen=True)
class Distortion:
    """A change of weights.

    Attributes:
        function: (array, level, rng) -> array of the same shape; of one tensor at a time.
        level: whether it has a level; where not, its function gets nan.
        random: whether it draws from ``rng``. One that does not, and changes nothing, does not apply to a model.
        scope: one of ``SCOPES``, unless a condition asks for another.
        acts_on: one of ``PARTS``, unless a condition asks for another.
    """

    function: Function
    level: bool = True
    random: bool = False
    scope: str = "all"
    acts_on: str = "values"

    def __post_init__(self) -> None:
        for value, known in ((self.scope, SCOPES), (self.acts_on, PARTS)):
            if value not in known:
                raise RobenchError(f"a distortion cannot act on {value!r}; choose {', '.join(known)}.")


DISTORTIONS: Registry[Distortion] = Registry("distortion", "robench.distortions")


def register(
    name: str, *, level: bool = True, random: bool = False, scope: str = "all", acts_on: str = "values"
) -> Callable[[Function], Function]:
    """Add a distortion under ``name``; the settings are those of :class:`Distortion`."""

    def add(function: Function) -> Function:
        DISTORTIONS.add(name, Distortion(function, level, random, scope, acts_on))
        return function

    return add
