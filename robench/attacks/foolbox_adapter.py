"""Any attack of foolbox (Rauber et al. 2020, doi:10.21105/joss.02607), by name: ``foolbox:L2DeepFoolAttack``."""

from typing import Any

import torch

from robench.attacks import Budget, ImageStreams, Traits, register
from robench.attacks.bare import Watched, one_epsilon
from robench.attacks.library import Library, arguments
from robench.core.errors import RobenchError
from robench.core.optional import import_optional

LINF, L2, EITHER = ("linf",), ("l2",), ("linf", "l2")
NORMS = {"Linf": LINF, "L2": L2}
"""Prefix of a name -> budgets."""
FAMILIES = (
    "ProjectedGradientDescentAttack",
    "AdamProjectedGradientDescentAttack",
    "BasicIterativeAttack",
    "AdamBasicIterativeAttack",
    "MomentumIterativeFastGradientMethod",
    "PGD",
    "AdamPGD",
)
PREFIXED = {
    **{f"{norm}{name}": Traits(norms=norms, bare=True) for norm, norms in NORMS.items() for name in FAMILIES},
    **{f"{norm}FastGradientAttack": Traits(norms=norms, single_step=True, bare=True) for norm, norms in NORMS.items()},
}
SHORT = {
    "FGM": Traits(norms=L2, single_step=True, bare=True),
    "FGSM": Traits(norms=LINF, single_step=True, bare=True),
    **{name: Traits(norms=LINF, bare=True) for name in ("PGD", "AdamPGD", "MIFGSM")},
}
NOISE = {
    f"{norm}{aware}{repeated}Additive{noise}NoiseAttack": Traits(norms=NORMS[norm], gradient=False, bare=True)
    for norm, aware, noise in (
        ("L2", "", "Gaussian"),
        ("L2", "", "Uniform"),
        ("L2", "ClippingAware", "Gaussian"),
        ("L2", "ClippingAware", "Uniform"),
        ("Linf", "", "Uniform"),
    )
    for repeated in ("", "Repeated")
}
SEARCHES = (
    "InversionAttack",
    "BinarySearchContrastReductionAttack",
    "LinearSearchContrastReductionAttack",
    "GaussianBlurAttack",
    "LinearSearchBlendedUniformNoiseAttack",
)
STARTED = ("BoundaryAttack", "HopSkipJumpAttack")
"""Attacks that begin at an image that fools already."""
CLASSES = {
    **PREFIXED,
    **SHORT,
    **NOISE,
    "VirtualAdversarialAttack": Traits(norms=L2, bare=True),
    "L2ContrastReductionAttack": Traits(norms=L2, gradient=False, bare=True),
    "GenAttack": Traits(norms=LINF, gradient=False, bare=True),
    # What is smallest in L1 or L0 has a size in L2, too.
    **{
        name: Traits(norms=L2, minimal=True, bare=True)
        for name in ("DDNAttack", "L2CarliniWagnerAttack", "NewtonFoolAttack", "EADAttack", "L2DeepFoolAttack")
    },
    **{name: Traits(norms=L2, minimal=True, bare=True) for name in ("L1FMNAttack", "L2FMNAttack")},
    **{name: Traits(norms=LINF, minimal=True, bare=True) for name in ("LInfFMNAttack", "LinfDeepFoolAttack")},
    **{name: Traits(norms=EITHER, gradient=False, minimal=True, bare=True) for name in (*SEARCHES, STARTED[1])},
    **{
        name: Traits(norms=L2, gradient=False, minimal=True, bare=True)
        for name in ("BoundaryAttack", "SaltAndPepperNoiseAttack")
    },
}
"""Every attack of foolbox that runs -> what it is."""
L1 = "its budget is in L1, and robench's are in Linf and L2"
NUMBA = "it is compiled by numba, which foolbox does not install"
REFUSED = {
    "Attack": "it is what foolbox's attacks are made from",
    "SpatialAttack": "it shifts and rotates the image, which no norm bounds",
    "DatasetAttack": "it gives other images of the data set, which are beyond any budget",
    "PointwiseAttack": "it sets itself no distance, without which foolbox ends it with an error",
    "L0FMNAttack": "foolbox cannot clip several images in L0",
    "BinarizationRefinementAttack": "it refines what another attack has found",
    **dict.fromkeys(("SparseL1DescentAttack", "L1FastGradientAttack", *(f"L1{name}" for name in FAMILIES)), L1),
    **{f"{norm}BrendelBethgeAttack": NUMBA for norm in ("L0", "L1", "L2", "Linfinity")},
}
LIBRARY = Library("foolbox", "foolbox.attacks", "foolbox", "pip install foolbox", REFUSED)
DEFAULTS = {"VirtualAdversarialAttack": {"steps": 10}}
"""Parameters that foolbox wants to be told."""


@register("foolbox", bare=True, variants=CLASSES, library=LIBRARY)
def foolbox(
    model: Watched,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    argument: str = "",
    **params: Any,
) -> torch.Tensor:
    """Run ``foolbox.attacks.<argument>``; the attack's own result is given, before foolbox clips it to epsilon."""
    attack_class = LIBRARY.find(argument, CLASSES)
    library = import_optional("foolbox", LIBRARY.install)
    norm = {"linf": library.distances.linf, "l2": library.distances.l2}[budget.norm]
    given = {"distance": norm, "constraint": budget.norm} | DEFAULTS.get(argument, {})
    attack = attack_class(**arguments(attack_class, given, params))
    criterion = library.criteria.Misclassification(y)
    if argument == "GenAttack":
        criterion = library.criteria.TargetedMisclassification(_runner_up(model, x, y))
    further = {"starting_points": _starting_points(model, x, y, argument)} if argument in STARTED else {}
    wrapped = library.PyTorchModel(model, bounds=(0, 1), device=x.device)
    result: torch.Tensor = attack(wrapped, x, criterion, epsilons=one_epsilon(budget), **further)[0]
    return result


def _runner_up(model: Watched, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The wrong class of the largest logit [N]."""
    with torch.no_grad():
        return model(x).scatter(1, y[:, None], -torch.inf).argmax(1)


def _starting_points(model: Watched, x: torch.Tensor, y: torch.Tensor, name: str) -> torch.Tensor:
    """For each image another that the model does not take for its class: of the same block, or of noise."""
    found, open_ = x.clone(), torch.ones_like(y, dtype=torch.bool)
    noise = (torch.rand_like(x) for _ in range(20))
    for candidates in (*(x.roll(shift, 0) for shift in range(1, len(x))), *noise, x.round(), 1 - x):
        with torch.no_grad():
            good = open_ & (model(candidates).argmax(1) != y)
        found[good] = candidates[good]
        open_ &= ~good
        if not open_.any():
            return found
    raise RobenchError(
        f"foolbox:{name} finds no image to begin at for {int(open_.sum())} of {len(x)} images: the model takes noise "
        "and every other image for their class."
    )
