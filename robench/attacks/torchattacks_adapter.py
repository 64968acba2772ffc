"""Any attack of torchattacks (Kim 2020, arXiv:2010.01950), by name: ``torchattacks:PGDL2``."""

import torch

from robench.attacks import Budget, ImageStreams, Traits, register
from robench.attacks.bare import Watched, one_epsilon
from robench.attacks.library import Library, arguments

LINF, L2, EITHER = ("linf",), ("l2",), ("linf", "l2")
STEPS = ("BIM", "RFGSM", "PGD", "EOTPGD", "TPGD", "MIFGSM", "UPGD", "DIFGSM", "TIFGSM", "Jitter", "NIFGSM", "PGDRS")
MORE_STEPS = ("SINIFGSM", "VMIFGSM", "VNIFGSM", "PIFGSM", "PIFGSMPP")
CLASSES = {
    **{name: Traits(norms=LINF, bare=True) for name in STEPS + MORE_STEPS},
    **{name: Traits(norms=LINF, single_step=True, bare=True) for name in ("FGSM", "FFGSM")},
    **{name: Traits(norms=L2, bare=True) for name in ("PGDL2", "PGDRSL2")},
    **{name: Traits(norms=EITHER, bare=True) for name in ("APGD", "APGDT", "AutoAttack")},
    **{name: Traits(norms=EITHER, gradient=False, bare=True) for name in ("VANILA", "GN", "Square")},
    "SPSA": Traits(norms=LINF, gradient=False, bare=True),
    "FAB": Traits(norms=EITHER, minimal=True, bare=True),
    # What is smallest in L2 has a size in Linf, too.
    **{name: Traits(norms=EITHER, minimal=True, bare=True) for name in ("CW", "DeepFool")},
    # Their own norms, L1 and L0, are no budgets here: a few pixels change by a lot.
    **{name: Traits(norms=L2, minimal=True, bare=True) for name in ("EADL1", "EADEN", "SparseFool", "JSMA")},
    **{name: Traits(norms=L2, gradient=False, minimal=True, bare=True) for name in ("OnePixel", "Pixle")},
}
"""Every attack of torchattacks that runs -> what it is."""
REFUSED = {
    "MultiAttack": "it joins attack objects; name each of them as a condition of its own",
    "LGV": "it trains the model on data that it needs besides the images, and attacks what comes out",
}
LIBRARY = Library("torchattacks", "torchattacks", "torchattacks", "pip install torchattacks", REFUSED)


@register("torchattacks", bare=True, variants=CLASSES, library=LIBRARY)
def torchattacks(
    model: Watched,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    *,
    argument: str = "",
    **params: object,
) -> torch.Tensor:
    """Run ``torchattacks.<argument>``; norm, epsilon, classes and seed are passed on where it takes them."""
    attack = LIBRARY.find(argument, CLASSES)
    given = {
        "norm": {"linf": "Linf", "l2": "L2"}[budget.norm],
        "eps": one_epsilon(budget),
        "n_classes": model.classes,
        "seed": model.seed,
    }
    result: torch.Tensor = attack(model, **arguments(attack, given, params))(x, y)
    return result
