"""Bits chosen to harm: the progressive bit search of Rakin, He and Fan (ICCV 2019, arXiv:1903.12269)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from robench.faults import Streams, register
from robench.faults.bit_error import FLIPS

if TYPE_CHECKING:
    import torch

    from robench.faults.victim import Victim

TRIED = 6
"""Layers in which bits are tried, those of the largest gain to first order. The paper tries all; in 24 flips each of
the INT8 and the ternary ResNet-20 on CIFAR-10 with all 18 layers tried, the winner was among the first five."""
PATIENCE = 16
"""Flips at once in a layer; where that many do not raise the loss in any, the search ends."""


@register("bit_flip_attack", level=FLIPS, acts_on="search")
def bit_flip_attack(victim: "Victim", flips: float, streams: Streams) -> "Iterator[tuple[str, torch.Tensor]]":
    """Turn the bits that raise the loss most, layer by layer; at most ``flips`` of them.

    In each layer the n bits of the largest gain to first order, gradient times change of the weight, are tried, and
    those of the layer where the loss becomes largest are turned. n is 1, and one more as long as the loss rises in no
    layer. Of a code in two's complement the change of the weight is the scale times -2^(N-1), 2^(N-2), ..., 1 with the
    sign of the flip, as in the paper; for any other encoding it is the difference of what the two patterns stand for.

    Yields:
        (tensor, its bits), after each has been turned.
    """
    done = 0
    while done < flips:
        chosen = _step(victim, int(flips) - done)
        if chosen is None:
            return
        victim.flip(*chosen)
        done += len(chosen[1])
        yield chosen


def _candidates(gains: "dict[str, torch.Tensor]", count: int) -> "list[tuple[str, torch.Tensor]]":
    """The bits of the largest gains of each layer, in the layers where their sum is largest."""
    found = []
    for name, gain in gains.items():
        values, places = gain.flatten().topk(min(count, gain.numel()))
        if values[-1] > 0:
            found.append((float(values.sum()), name, places))
    return [(name, places) for _, name, places in sorted(found, key=lambda one: -one[0])[:TRIED]]


def _step(victim: "Victim", left: int) -> "tuple[str, torch.Tensor] | None":
    """The bits to be turned next; None where none raise the loss."""
    before, gains = victim.loss(), victim.gains()
    for count in range(1, min(PATIENCE, left) + 1):
        best, worst_loss = None, before
        for name, places in _candidates(gains, count):
            loss = victim.loss_with(name, places)
            if loss > worst_loss:
                best, worst_loss = (name, places), loss
        if best is not None:
            return best
    return None
