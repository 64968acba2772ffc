"""Phase-change memory: errors of programming, drift of conductance with time, and noise of each read.

The statistical model that the Analog Hardware Acceleration Kit fits to a million devices (aihwkit, PCMLikeNoiseModel;
Nandakumar et al. 2019; Joshi et al. 2020, Nature Communications 11, 2473). g is the target conductance relative to the
largest, 25 microsiemens; a weight is the difference of a pair of devices, one of which is at 0.
"""

import numpy as np

from robench.faults import TIME, Conductances, Level, Streams, register
from robench.faults.analog import compensated, normal

LARGEST = 25.0
"""Microsiemens."""
PROGRAMMED, READ = 20.0, 250e-9
"""Seconds after which programming is over and drift begins to count, and that a read takes."""
LEAST = 1e-7


@register("pcm", level=Level(TIME, from_clean=False), acts_on="conductances")
def pcm(pairs: Conductances, seconds: float, streams: Streams, *, compensation: bool = True) -> Conductances:
    """Phase-change memory: the conductances that are read so many seconds after programming.

    With ``compensation`` each layer's output is multiplied by what its reads have lost in sum since programming (global
    drift compensation).
    """
    programmed = _programmed(pairs, streams)
    exponents = _exponents(pairs, streams)
    now = _read(pairs, programmed, exponents, seconds, normal(pairs, streams("read")))
    if not compensation:
        return now
    return compensated(now, _read(pairs, programmed, exponents, 0.0, normal(pairs, streams("first read"))))


def _programmed(g: Conductances, streams: Streams) -> Conductances:
    spread = np.maximum(-1.1731 * g**2 + 1.9650 * g + 0.26348, 0) / LARGEST
    return np.maximum(g + spread * normal(g, streams("programming")), 0)


def _exponents(g: Conductances, streams: Streams) -> Conductances:
    log = np.log(np.maximum(g, LEAST))
    mean = np.clip(-0.0155 * log + 0.0244, 0.049, 0.1)
    spread = np.clip(-0.0125 * log - 0.0059, 0.008, 0.045)
    return np.abs(mean + spread * normal(g, streams("drift")))


def _read(
    g: Conductances, programmed: Conductances, exponents: Conductances, seconds: float, noise: Conductances
) -> Conductances:
    time = seconds + PROGRAMMED
    drifted = programmed * np.float32(time / PROGRAMMED) ** -exponents
    share = np.minimum(0.0088 / np.maximum(g, LEAST) ** 0.65, 0.2)
    spread = share * np.float32(np.sqrt(np.log((time + READ) / (2 * READ))))
    return np.maximum(drifted * (1 + spread * noise), 0).astype(np.float32)
