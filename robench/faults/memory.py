"""A memory: the bits of stored weights, one after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from robench.core.errors import RobenchError
from robench.core.types import Bits
from robench.faults import Addresses
from robench.quantizers.encodings import ENCODINGS, FloatEncoding, IntegerEncoding, encoding_named
from robench.quantizers.stored import StoredWeight

Words = npt.NDArray[np.uint32]
Stored = Mapping[str, StoredWeight]


class Memory:
    """The bits of stored weights: tensor after tensor, weight after weight, each weight's highest bit first.

    Args:
        stored: weights by name.

    Attributes:
        size: number of bits.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = dict(stored)
        self._patterns = {name: weight.patterns().ravel() for name, weight in stored.items()}
        sizes = [weight.values.numel() * weight.bits for weight in stored.values()]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.size = int(self._starts[-1])

    def read(self, addresses: Addresses) -> Bits:
        """The bits at these addresses."""
        found = np.zeros(len(addresses), bool)
        for name, which, weights, shifts in self._places(addresses):
            found[which] = (self._patterns[name][weights] >> shifts) & 1
        return found

    def flip(self, addresses: Addresses) -> None:
        """Turn the bits at these addresses, of which none is there twice."""
        for name, _, weights, shifts in self._places(addresses):
            np.bitwise_xor.at(self._patterns[name], weights, np.uint32(1) << shifts)

    def zero(self, addresses: Addresses) -> None:
        """Let the weights with bits at these addresses be 0, where there is a code for it."""
        for name, _, weights, _ in self._places(addresses):
            zeros = _patterns_of_zero(self._stored[name], weights)
            if zeros is not None:
                self._patterns[name][weights] = zeros

    def contents(self, unused: int = 0) -> dict[str, StoredWeight]:
        """The stored weights as they are read now; the pattern 11 of the ternary encoding as ``unused``."""
        found = {}
        for name, stored in self._stored.items():
            patterns = self._patterns[name]
            if stored.encoding == "ternary" and unused:
                patterns = np.where(patterns == 3, np.uint32(unused + 1), patterns)
            found[name] = stored.with_patterns(patterns)
        return found

    def _places(self, addresses: Addresses) -> Iterator[tuple[str, npt.NDArray[np.intp], Addresses, Words]]:
        """(tensor, which of the addresses are in it, their weights, their bits from the lowest on)."""
        order = np.argsort(addresses, kind="stable")
        edges = np.searchsorted(addresses, self._starts, sorter=order)
        for number, (name, stored) in enumerate(self._stored.items()):
            which = order[edges[number] : edges[number + 1]]
            if len(which):
                weights, bits = np.divmod(addresses[which] - self._starts[number], stored.bits)
                yield name, which, weights, (stored.bits - 1 - bits).astype(np.uint32)


def _patterns_of_zero(stored: StoredWeight, weights: Addresses) -> Words | None:
    """The patterns that stand for 0 at these places of a tensor; None where the encoding has none."""
    encoding = encoding_named(stored.encoding, stored.bits)
    if not isinstance(encoding, IntegerEncoding):
        return np.zeros(len(weights), np.uint32)
    codes = np.zeros(len(weights), np.int64)
    if stored.zero_point is not None:
        filters = weights // (stored.values.numel() // len(stored.values))
        codes += np.broadcast_to(stored.zero_point[0].cpu().numpy(), len(stored.values))[filters]
    if not np.isin(codes, encoding.codes(stored.bits)).all():
        return None
    return encoding.to_patterns(torch.from_numpy(codes), stored.bits)


def written_as(stored: StoredWeight, encoding: str) -> StoredWeight:
    """The weight in another encoding; the same one for "".

    Raises:
        RobenchError: codes of this width do not fit the encoding, or it is one of codes, and the weight holds floats.
    """
    if not encoding or encoding == stored.encoding:
        return stored
    wanted = ENCODINGS[encoding]
    if stored.is_coded:
        return replace(stored, encoding=encoding)
    if not isinstance(wanted, FloatEncoding):
        raise RobenchError(f"the encoding {encoding} is for codes, and the weights are stored as floats.")
    return StoredWeight(stored.values.to(wanted.dtype), encoding, wanted.widths[0])
