"""Any attack of adversarial-library (Rony and Ben Ayed 2020, doi:10.5281/zenodo.5815063), by name: ``adv_lib:ddn``."""

from typing import Any

import torch

from robench.attacks import Budget, ImageStreams, Traits, register
from robench.attacks.bare import Watched, one_epsilon
from robench.attacks.library import Library, arguments

LINF, L2, EITHER = ("linf",), ("l2",), ("linf", "l2")
FUNCTIONS = {
    **{name: Traits(norms=EITHER, bare=True) for name in ("apgd", "apgd_targeted")},
    "pgd_linf": Traits(norms=LINF, bare=True),
    **{name: Traits(norms=EITHER, minimal=True, bare=True) for name in ("fab", "fmn", "pdpgd", "tr", "df")},
    "carlini_wagner_linf": Traits(norms=LINF, minimal=True, bare=True),
    **{
        name: Traits(norms=L2, minimal=True, bare=True)
        for name in ("alma", "carlini_wagner_l2", "ddn", "pdgd", "sdf", "perc_al", "str_attack")
    },
    # Their own norm, L0, is no budget here: a few pixels change by a lot.
    **{name: Traits(norms=L2, minimal=True, bare=True) for name in ("fga", "vfga", "sigma_zero")},
}
"""Every attack of adversarial-library that runs -> what it is."""
EPSILON = {"apgd": "eps", "apgd_targeted": "eps", "pgd_linf": "epsilon", "fab": "epsilon"}
"""What they call the budget; elsewhere these names mean something else."""
LIBRARY = Library(
    "adv_lib",
    "adv_lib.attacks",
    "adv-lib",
    # One of its dependencies is built with pkg_resources, which setuptools 81 no longer has.
    "pip install 'setuptools>=70.1,<81' && pip install --no-build-isolation adv-lib",
    {},
)


@register("adv_lib", bare=True, variants=FUNCTIONS, library=LIBRARY)
def adv_lib(
    model: Watched,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    argument: str = "",
    **params: Any,
) -> torch.Tensor:
    """Run ``adv_lib.attacks.<argument>`` with ``params``, Greek letters spelled out; norm and epsilon are passed on."""
    attack = LIBRARY.find(argument, FUNCTIONS)
    norm = {"linf": float("inf"), "l2": 2.0}[budget.norm]
    given = {"norm": norm, "p": norm, "num_classes": model.classes, "targeted": False}
    if argument in EPSILON:
        given[EPSILON[argument]] = one_epsilon(budget)
    result: torch.Tensor = attack(model, x, y, **arguments(attack, given, params))
    return result
