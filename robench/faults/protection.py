"""Protection of a memory: what the cells of its chip are, and what is read from it once some of them have erred.

``secded``: a word of 64 bits is kept in 72 cells, by an extended Hamming code (Hamming 1950; Hsiao 1970 for the use).
One error in a word is mended, two are detected; three or more may be taken for one, and mended wrongly.
``triple``: three copies of each bit, of which the majority is read.
``in_place``: the same kind of code without further cells (Guan et al. 2019, "In-place zero-space memory protection for
CNN"). Eight INT8 weights hold 57 bits and 7 check bits: the first seven of them are in [-64, 63], so that their second
bit is always equal to the first. The paper trains networks towards such weights; here codes are halved and their scales
doubled, which costs one bit of resolution. Codes of one or two bits have no bit to spare.
"""

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from robench.core.types import Bits
from robench.faults import Addresses, BitSettings, DoesNotApplyError
from robench.faults.memory import Memory, Stored
from robench.quantizers.stored import StoredWeight

Words = npt.NDArray[np.bool_]
WORD, CODEWORD = 64, 72


class Cells(ABC):
    """The cells of a chip, in which a memory is kept.

    Attributes:
        size: how many there are.
    """

    def __init__(self, memory: Memory, size: int) -> None:
        self.memory = memory
        self.size = size

    @abstractmethod
    def read(self, places: Addresses) -> Bits:
        """What these cells hold."""

    @abstractmethod
    def strike(self, places: Addresses) -> None:
        """Let these cells, each named once, hold the opposite: the memory becomes what is read from them."""


class Plain(Cells):
    """One cell a bit."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, memory.size)

    def read(self, places: Addresses) -> Bits:
        """The bit itself."""
        return self.memory.read(places)

    def strike(self, places: Addresses) -> None:
        """The bits flip."""
        self.memory.flip(places)


class Triple(Cells):
    """Three cells a bit: all bits, and all of them twice again."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, 3 * memory.size)

    def read(self, places: Addresses) -> Bits:
        """The bit that they are copies of."""
        return self.memory.read(places % self.memory.size)

    def strike(self, places: Addresses) -> None:
        """A bit flips where two or three of its copies do."""
        bits, copies = np.unique(places % self.memory.size, return_counts=True)
        self.memory.flip(bits[copies >= 2])


class ExtendedHamming:
    """The code of ``length`` bits: bits 1, 2, 4, ... check the places whose number has that bit, and bit 0 checks all.

    Args:
        length: of a codeword, check bits among them.
    """

    def __init__(self, length: int) -> None:
        self.places = np.arange(length)
        powers = 2 ** np.arange(int(length - 1).bit_length())
        self.checks = powers[powers < length]
        self.data = np.setdiff1d(self.places, np.r_[0, self.checks])
        # Parities are sums modulo 2 of few small numbers, which a product of float32 matrices gives exactly and fast.
        self._checked = ((self.places[:, None] & self.checks) > 0).astype(np.float32)

    def encode(self, data: Words) -> Words:
        """Bits [words, data] -> codewords [words, length]."""
        words = np.zeros((len(data), len(self.places)), bool)
        words[:, self.data] = data
        words[:, self.checks] = (data.astype(np.float32) @ self._checked[self.data]) % 2 > 0
        words[:, 0] = words.sum(1) % 2
        return words

    def decode(self, words: Words) -> tuple[Words, Bits]:
        """Codewords -> the bits [words, data] that they are read as; and the words [words] that cannot be mended."""
        mended = words.copy()
        syndrome = ((words.astype(np.float32) @ self._checked) % 2).astype(np.int64) @ self.checks
        odd = words.sum(1) % 2 > 0
        single = odd & (syndrome < len(self.places))
        mended[np.flatnonzero(single), syndrome[single]] ^= True
        return mended[:, self.data], (odd & ~single) | (~odd & (syndrome > 0))


class Coded(Cells):
    """Words of 64 bits of the memory, each kept as a codeword; what is beyond the last word is kept as it is.

    Args:
        memory: what is kept.
        size: number of cells.
        code: of each word.
        offsets: of the bits of a word that are the codeword's data, in the code's order.
        order: the place in the codeword that each cell of a word holds.
        words: how many there are.
        detected: what becomes of words that cannot be mended, see ``BitSettings``.
    """

    def __init__(
        self,
        memory: Memory,
        size: int,
        code: ExtendedHamming,
        offsets: Addresses,
        order: Addresses,
        words: int,
        detected: str,
    ) -> None:
        super().__init__(memory, size)
        self.code, self.offsets, self.order, self.detected = code, offsets, order, detected
        self.protected = len(order) * words

    def read(self, places: Addresses) -> Bits:
        """A bit of a word, or one that checks it."""
        inside = places < self.protected
        found = np.zeros(len(places), bool)
        found[~inside] = self.memory.read(places[~inside])
        words, place, cell = self._located(places[inside])
        found[inside] = self.code.encode(self._data(words))[place, cell]
        return found

    def strike(self, places: Addresses) -> None:
        """Words are decoded; those that cannot be mended are zero, or left."""
        inside = places < self.protected
        self.memory.flip(places[~inside])
        words, place, cell = self._located(places[inside])
        before = self._data(words)
        codewords = self.code.encode(before)
        codewords[place, cell] ^= True
        after, lost = self.code.decode(codewords)
        self.memory.flip(self._copies(self._real(self._addresses(words)[before != after])))
        if self.detected == "zero":
            self.memory.zero(self._real(self._addresses(words[lost]).ravel()))

    def _located(self, places: Addresses) -> tuple[Addresses, Addresses, Addresses]:
        """The words of these cells, each once; of each cell, which of them it is in, and its place in the codeword."""
        words, place = np.unique(places // len(self.order), return_inverse=True)
        return words, place, self.order[places % len(self.order)]

    def _addresses(self, words: Addresses) -> Addresses:
        """Of the data bits, [words, data]."""
        return words[:, None] * WORD + self.offsets

    def _data(self, words: Addresses) -> Words:
        """The data bits [words, data]; those beyond the memory, in its last word, are zeros."""
        addresses = self._addresses(words)
        data = np.zeros(addresses.shape, bool)
        real = addresses < self.memory.size
        data[real] = self.memory.read(addresses[real])
        return data

    def _real(self, addresses: Addresses) -> Addresses:
        return addresses[addresses < self.memory.size]

    def _copies(self, addresses: Addresses) -> Addresses:
        """These bits, with those that are always equal to one of them."""
        return addresses


class Secded(Coded):
    """Words of 64 bits in 72 cells; the last word is filled up with zeros."""

    def __init__(self, memory: Memory, detected: str) -> None:
        words = -(-memory.size // WORD)
        every = np.arange(WORD)
        super().__init__(
            memory, CODEWORD * words, ExtendedHamming(CODEWORD), every, np.arange(CODEWORD), words, detected
        )


class InPlace(Coded):
    """Words of eight INT8 weights in their own 64 cells; weights beyond the last full word are not protected."""

    def __init__(self, memory: Memory, detected: str) -> None:
        bits, code = np.arange(WORD), ExtendedHamming(WORD)
        spare = (bits % 8 == 1) & (bits < WORD - 8)
        order = np.empty(WORD, np.int64)
        order[~spare], order[spare] = code.data, np.r_[0, code.checks]
        super().__init__(memory, memory.size, code, bits[~spare], order, memory.size // WORD, detected)

    def _copies(self, addresses: Addresses) -> Addresses:
        """The second bit of each of the first seven weights is read as the first."""
        bits = addresses % WORD
        return np.concatenate([addresses, addresses[(bits % 8 == 0) & (bits < WORD - 8)] + 1])


def made_small(stored: Stored) -> dict[str, StoredWeight]:
    """Weights of 8 bits whose codes are in [-64, 63]: halved, with twice the scale.

    Raises:
        DoesNotApplyError: they are not of 8 bits in two's complement.
    """
    if any((weight.bits, weight.encoding) != (8, "twos_complement") for weight in stored.values()):
        found = sorted({f"{weight.bits} bits ({weight.encoding})" for weight in stored.values()})
        raise DoesNotApplyError(
            "in-place protection needs weights of 8 bits in two's complement, of which small ones have a bit to spare; "
            f"these have {' and '.join(found)}"
        )
    return {name: _halved(weight) for name, weight in stored.items()}


def _halved(stored: StoredWeight) -> StoredWeight:
    assert stored.scale is not None
    zero = None if stored.zero_point is None else _half(stored.zero_point)
    return replace(stored, values=_half(stored.values), scale=2 * stored.scale, zero_point=zero)


def _half(codes: torch.Tensor) -> torch.Tensor:
    return (codes.float() / 2).round().to(codes.dtype)


def cells_of(memory: Memory, settings: BitSettings) -> Cells:
    """The cells in which a memory is kept."""
    if settings.protection == "secded":
        return Secded(memory, settings.detected)
    if settings.protection == "triple":
        return Triple(memory)
    if settings.protection == "in_place":
        return InPlace(memory, settings.detected)
    return Plain(memory)
