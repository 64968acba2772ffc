"""The official AutoAttack (Croce and Hein 2020, arXiv:2003.01690), FAB-T included: ``autoattack:standard``."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from robench.attacks import NORMS, Budget, ImageStreams, Traits, register
from robench.attacks.bare import Watched, one_epsilon
from robench.attacks.library import Library
from robench.core.errors import RobenchError
from robench.core.optional import import_optional
from robench.core.registry import did_you_mean

VERSIONS = {name: Traits(norms=NORMS, bare=True) for name in ("standard", "plus", "rand")}
INSTALL = "pip install 'robench[autoattack]'"


class _Versions(Library):
    """One class of the package, which is told which of its versions to run."""

    def find(self, attack: str, known: Mapping[str, object]) -> Callable[..., Any]:
        """The class.

        Raises:
            RobenchError: the package is not installed, or has no such version.
        """
        if attack not in known:
            raise RobenchError(f"AutoAttack has no version {attack!r}; {did_you_mean(attack, list(known))}")
        found: Callable[..., Any] = import_optional(self.module, self.install).AutoAttack
        return found

    def parameters(self, attack: Callable[..., Any]) -> dict[str, Any]:
        """None: a version is one because nothing can be set."""
        return {}


LIBRARY = _Versions("autoattack", "pyautoattack", "pyautoattack", INSTALL, {})


@register("autoattack", bare=True, variants=VERSIONS, library=LIBRARY)
def autoattack(
    model: Watched, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, *, argument: str = ""
) -> torch.Tensor:
    """The version ``argument`` of the cascade, on one block of images."""
    attack = LIBRARY.find(argument, VERSIONS)(
        model,
        norm={"linf": "Linf", "l2": "L2"}[budget.norm],
        eps=one_epsilon(budget),
        seed=model.seed,
        version=argument,
        device=x.device,
    )
    result: torch.Tensor
    result, _ = attack.run_standard_evaluation(x, y, batch_size=len(x))
    return result
