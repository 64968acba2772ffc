"""Adversarial perturbations of the input within a budget. One paper, one file, one pure function."""

from __future__ import annotations  # torch is imported where it is used: tables need an attack's traits, not torch

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from robench.core.registry import Registry

if TYPE_CHECKING:
    import torch

    from robench.attacks.library import Library

NORMS = ("linf", "l2")
OWN, TWIN, SMOOTH = "own", "twin", "smooth"
VIA = (OWN, TWIN, SMOOTH)
"""Whose gradients an attack follows: those of the model itself, of its twin (transfer), of a copy without steps."""


@dataclass(frozen=True)
class Budget:
    """How far the perturbation of each image of a batch may go.

    Attributes:
        norm: "linf" or "l2".
        epsilon: its size on the [0, 1] pixel scale, float [N].
    """

    norm: str
    epsilon: torch.Tensor

    @property
    def radius(self) -> torch.Tensor:
        """Epsilon as [N, 1, 1, 1], to be multiplied with images."""
        return self.epsilon.view(-1, 1, 1, 1)

    def of(self, chosen: torch.Tensor) -> Budget:
        """The budgets of some of the images, by index or mask."""
        return Budget(self.norm, self.epsilon[chosen])


class ImageStreams:
    """Random numbers for a batch in which each image has its own stream."""

    def __init__(self, streams: Sequence[np.random.Generator]) -> None:
        self.streams = streams

    def uniform(self, like: torch.Tensor) -> torch.Tensor:
        """Uniform in [-1, 1), of the shape, type and device of ``like`` [N, ...]."""
        return self._to([2 * stream.random(like.shape[1:], np.float32) - 1 for stream in self.streams], like)

    def table(self, rows: int, columns: int, like: torch.Tensor) -> torch.Tensor:
        """Uniform in [0, 1): [N, rows, columns], of the type and device of ``like``."""
        return self._to([stream.random((rows, columns), np.float32) for stream in self.streams], like)

    @staticmethod
    def _to(draws: list[np.ndarray], like: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.stack(draws)).to(like)

    def of(self, chosen: torch.Tensor) -> ImageStreams:
        """The streams of the images with these indices."""
        return ImageStreams([self.streams[index] for index in chosen.tolist()])


Function = Callable[..., Any]
"""(model, x, y, budget, rng, **params) -> images: x [N, C, H, W] in [0, 1] and labels y [N] in, perturbed images of the
same shape out. It may change what the budget allows; robench's wrapper holds it to that. ``params``: its own settings,
keyword-only."""


@dataclass(frozen=True)
class Traits:
    """What an attack is, as it says where it is registered.

    Attributes:
        gradient: it uses the model's gradients; an attack that does not is a black-box attack.
        single_step: it takes one gradient step.
        norms: of the budgets that it can keep; the first is meant where a condition names none.
        distance: it stops at the first perturbation that fools, so that the size of that means something.
        minimal: it looks for the smallest perturbation that fools: a library's one that is larger than the budget is no
            fault, and a search over epsilons takes a single run.
        bare: it is a library's own, and is given the model as it was loaded, without robench's shortcuts and surrogate
            gradients, one epsilon and one block of images at a time (see ``robench.attacks.bare``).
    """

    gradient: bool = True
    single_step: bool = False
    norms: tuple[str, ...] = NORMS
    distance: bool = False
    minimal: bool = False
    bare: bool = False


@dataclass(frozen=True)
class Attack:
    """A registered attack.

    Attributes:
        function: see ``Function``.
        traits: what it is.
        variants: argument after a colon in its name (``torchattacks:Square``) -> what it is then; others are
            ``traits``.
        resume: (model, start, x, y, budget, **params) -> images: a few steps more from perturbed images ``start``,
            which are within the budget and do not fool; None where the attack cannot go on.
        library: the package that brings the variants; None for robench's own attacks.
        direction: (model, x, y, norm, **params) -> where the attack's only step leads, [N, C, H, W]: epsilon times
            that, held to the budget, is what ``function`` adds. A suite with several epsilons takes it once. None where
            the attack is no such step.
    """

    function: Function
    traits: Traits = Traits()
    variants: Mapping[str, Traits] = field(default_factory=dict)
    resume: Function | None = None
    library: Library | None = None
    direction: Function | None = None


ATTACKS: Registry[Attack] = Registry("attack", "robench.attacks")


def register(
    name: str,
    *,
    variants: Mapping[str, Traits] | None = None,
    resume: Function | None = None,
    library: Library | None = None,
    direction: Function | None = None,
    **traits: Any,
) -> Callable[[Function], Function]:
    """Add an attack under ``name``; ``traits`` are the fields of ``Traits``, such as ``gradient=False``."""

    def add(function: Function) -> Function:
        ATTACKS.add(name, Attack(function, Traits(**traits), variants or {}, resume, library, direction))
        return function

    return add
