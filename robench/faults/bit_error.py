"""Random bit errors, as a memory at low voltage or a worn one shows them."""

import numpy as np

from robench.faults import Addresses, DoesNotApplyError, Level, Share, Streams, register
from robench.faults.chips import below, first
from robench.faults.protection import Cells

RATE = Level("bit error rate", high=1.0)
FLIPS = Level("flipped bits", high=1e9, whole=True)


@register("bit_error", level=RATE)
def bit_error(
    cells: Cells, rate: float, streams: Streams, *, zero_to_one: Share = 1.0, one_to_zero: Share = 1.0
) -> Addresses:
    """Each cell flips with probability p (Stutz et al. 2021, arXiv:2006.13977).

    A cell that holds 0 flips at rate p ``zero_to_one``, one that holds 1 at rate p ``one_to_zero``: memories may err in
    one direction more than in the other.
    """
    places, numbers = below(cells.size, rate, streams)
    if zero_to_one == one_to_zero == 1:
        return places
    return places[numbers < rate * np.where(cells.read(places), one_to_zero, zero_to_one)]


@register("random_flips", level=FLIPS)
def random_flips(cells: Cells, flips: float, streams: Streams) -> Addresses:
    """That many cells flip, drawn at random from all of them: the control of an attack on bits."""
    if flips > cells.size:
        raise DoesNotApplyError(f"the memory has {cells.size:,} bits, fewer than {flips:,.0f}")
    return first(cells.size, int(flips), streams)
