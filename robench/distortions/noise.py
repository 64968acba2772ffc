"""Noise on stored weights, as analog memories show it (Merolla et al. 2016, arXiv:1606.01981; CrossSim; aihwkit)."""

import numpy as np

from robench.distortions import Weight, register


@register("gaussian", random=True)
def gaussian(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """W + level RMS(w) N(0, 1), with the root mean square of the tensor's deployed weights."""
    rms = np.sqrt(np.mean(np.square(weight)))
    return weight + level * rms * rng.standard_normal(weight.shape, np.float32)


@register("gaussian_max", random=True)
def gaussian_max(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """W + level a N(0, 1), with a = max |w| of the tensor: what a memory that stores [-a, a] would add."""
    return weight + level * np.abs(weight).max() * rng.standard_normal(weight.shape, np.float32)


@register("multiplicative", random=True)
def multiplicative(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """W (1 + level N(0, 1)): zeros stay zero."""
    return weight * (1 + level * rng.standard_normal(weight.shape, np.float32))
