"""Cells of a crossbar that are stuck at an end of their range, whatever is written to them."""

from typing import Annotated

import numpy as np
from annotated_types import Interval

from robench.faults import Conductances, Level, Streams, register

SHARE = Level("share of stuck cells", high=1.0)
Part = Annotated[float, Interval(ge=0, le=1000)]


@register("stuck", level=SHARE, acts_on="conductances")
def stuck(pairs: Conductances, share: float, streams: Streams, *, lrs: Part = 1.0, hrs: Part = 5.17) -> Conductances:
    """A share of the cells is stuck, ``lrs`` parts of it at low resistance and ``hrs`` parts at high resistance.

    A cell in its low-resistance state has the largest conductance, one in its high-resistance state the least, so that
    in a ternary network the first turns a weight of 0 into one of +1 or -1, and the second a weight of +1 or -1 into 0.
    Chen et al. (IEEE Transactions on Computers, 2015) are cited for 10.79% of the cells, 1.75% and 9.04% at the two
    ends; papers differ in which end is which, so both are worth a look.
    """
    is_stuck = streams("stuck").random(pairs.shape, np.float32) < share
    at_low_resistance = streams("state").random(pairs.shape, np.float32) * (lrs + hrs) < lrs
    return np.where(is_stuck, at_low_resistance, pairs).astype(np.float32)
