"""Resistive memory: how far conductances have relaxed a time after programming.

Wan et al. 2022 (Nature 608, 504), as in the Analog Hardware Acceleration Kit (aihwkit, ReRamWan2022NoiseModel): the
standard deviation is a polynomial of the target conductance g, relative to the largest, 40 microsiemens, and was
measured after one second, one day and two days. In between it is interpolated in the logarithm of time; beyond, nothing
is known.
"""

import numpy as np

from robench.faults import TIME, Conductances, Level, Streams, register
from robench.faults.analog import compensated, normal

LARGEST = 40.0
"""Microsiemens."""
TIMES = (1.0, 86_400.0, 172_800.0)
COEFFICIENTS = (
    (0.348, 16.030, -43.853, 45.393, -16.815),
    (0.701, 22.086, -50.773, 47.095, -16.458),
    (0.782, 20.274, -43.507, 37.062, -11.934),
)
"""Of g^0, g^1, ..., at each of the times, in microsiemens."""


@register("reram", level=Level(TIME, TIMES[0], TIMES[-1], from_clean=False), acts_on="conductances")
def reram(pairs: Conductances, seconds: float, streams: Streams, *, compensation: bool = True) -> Conductances:
    """Resistive memory: the conductances that are read so many seconds after programming.

    ``compensation`` is as for ``pcm``.
    """
    noise = normal(pairs, streams("relaxation"))
    now = _relaxed(pairs, seconds, noise)
    return compensated(now, _relaxed(pairs, TIMES[0], noise)) if compensation else now


def _relaxed(g: Conductances, seconds: float, noise: Conductances) -> Conductances:
    spreads = [np.polynomial.polynomial.polyval(g, coefficients) for coefficients in COEFFICIENTS]
    place = np.interp(np.log(seconds), np.log(TIMES), range(len(TIMES)))
    before = min(int(place), len(TIMES) - 2)
    spread = spreads[before] + (place - before) * (spreads[before + 1] - spreads[before])
    return np.maximum(g + np.maximum(spread, 0) / LARGEST * noise, 0).astype(np.float32)
