"""Optimality of an attack (Cina et al. 2025, AttackBench, arXiv:2404.19460): how near it comes to the best known."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Distances = npt.NDArray[np.float64]
"""Of the smallest perturbation that fools, for each image [N]: 0 if it is wrong as it is, infinite if none is known."""


def best_of(found: Iterable[Distances]) -> Distances:
    """The smallest that any attack found."""
    return np.minimum.reduce(list(found))


def optimality(found: Distances, best: Distances) -> float:
    """1 for an attack that finds the best known perturbation of every image, 0 for one that finds none.

    The area below the curve of robust accuracy against epsilon is the mean distance, up to the epsilon at which nothing
    is known to stand any more: 1 - (area - area of the best) / (clean accuracy * that epsilon - area of the best).
    Images that nothing is known to fool are left out of both.
    """
    known = np.isfinite(best)
    found, best = found[known], best[known]
    largest = best.max(initial=0.0)
    none = (best > 0).mean() * largest if len(best) else 0.0
    room = none - best.mean() if len(best) else 0.0
    return float(1 - (np.minimum(found, largest).mean() - best.mean()) / room) if room else float("nan")
