"""Projections of weights (Merolla et al. 2016, arXiv:1606.01981), with a = max |w| of the tensor.

The definitions are our reading of the paper's names. They change a layer's scale; batch norm keeps its statistics. On
low-bit weights a projection is the identity where all of a tensor's scales are equal and symmetric, and only there.
"""

import numpy as np

from robench.distortions import Weight, register


@register("sign", level=False, scope="inner")
def sign(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """Keep the signs: a sgn(w)."""
    return np.abs(weight).max() * np.sign(weight)


@register("round", level=False, scope="inner")
def nearest(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """Round to the nearest of -a, 0, a: a round(w / a)."""
    bound = np.abs(weight).max()
    return bound * np.rint(weight / bound) if bound else weight


@register("power", scope="inner")
def power(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """Rescale magnitudes: a sgn(w) |w / a|^level; level 1 is the identity, 0 is sign."""
    bound = np.abs(weight).max()
    return bound * np.sign(weight) * np.abs(weight / bound) ** np.float32(level) if bound else weight


@register("ternary", level=False, scope="inner")
def ternary(weight: Weight, level: float, rng: np.random.Generator) -> Weight:
    """Ternarize by the rule of TWN (Li et al. 2016, arXiv:1605.04711).

    The result is in {-m, 0, m}; the threshold is 0.7 mean |w|, m the mean |w| above it.
    """
    magnitude = np.abs(weight)
    kept = magnitude > 0.7 * magnitude.mean()
    return np.where(kept, magnitude[kept].mean() * np.sign(weight), 0).astype(np.float32) if kept.any() else weight
