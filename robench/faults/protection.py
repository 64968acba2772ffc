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
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from robench.core.types import Bits
from robench.faults import Addresses, BitSettings, DoesNotApplyError
from robench.faults.memory import Memory
from robench.quantizers.stored import StoredWeight

Words = npt.NDArray[np.bool_]
Stored = Mapping[str, StoredWeight]
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


class Secded(Cells):
    """Words of 64 bits in 72 cells; the last word is filled up with zeros."""

    def __init__(self, memory: Memory, detected: str) -> None:
        self.words = -(-memory.size // WORD)
        super().__init__(memory, CODEWORD * self.words)
        self.code, self.detected = ExtendedHamming(CODEWORD), detected

    def read(self, places: Addresses) -> Bits:
        """A bit of the word, or one that checks it."""
        words, place = np.unique(places // CODEWORD, return_inverse=True)
        return self._codewords(words)[place, places % CODEWORD]

    def strike(self, places: Addresses) -> None:
        """Words are decoded; those that cannot be mended are zero, or left."""
        words, place = np.unique(places // CODEWORD, return_inverse=True)
        codewords = self._codewords(words)
        before = codewords[:, self.code.data]
        codewords[place, places % CODEWORD] ^= True
        after, lost = self.code.decode(codewords)
        self._flip(self._bits(words), before != after)
        if self.detected == "zero":
            self.memory.zero(_inside(self._bits(words[lost]).ravel(), self.memory))

    def _bits(self, words: Addresses) -> Addresses:
        """The addresses [words, data] of the words' bits; those beyond the memory stand for zeros."""
        return words[:, None] * WORD + np.arange(WORD)

    def _codewords(self, words: Addresses) -> Words:
        bits = self._bits(words)
        data = np.zeros(bits.shape, bool)
        real = bits < self.memory.size
        data[real] = self.memory.read(bits[real])
        return self.code.encode(data)

    def _flip(self, bits: Addresses, changed: Words) -> None:
        self.memory.flip(_inside(bits[changed], self.memory))


class InPlace(Cells):
    """Words of eight INT8 weights in their own 64 cells; weights beyond the last full word are not protected."""

    def __init__(self, memory: Memory, detected: str) -> None:
        super().__init__(memory, memory.size)
        self.code, self.detected = ExtendedHamming(WORD), detected
        self.protected = memory.size // WORD * WORD
        bits = np.arange(WORD)
        spare = (bits % 8 == 1) & (bits < 56)
        self.spare, self.data = bits[spare], bits[~spare]

    def read(self, places: Addresses) -> Bits:
        """A bit of a weight, or one that checks the word in its place."""
        found = self.memory.read(places)
        inside = np.flatnonzero(places < self.protected)
        words, place = np.unique(places[inside] // WORD, return_inverse=True)
        found[inside] = self._cells(words)[place, places[inside] % WORD]
        return found

    def strike(self, places: Addresses) -> None:
        """Words are decoded; those that cannot be mended are zero, or left."""
        self.memory.flip(places[places >= self.protected])
        places = places[places < self.protected]
        words, place = np.unique(places // WORD, return_inverse=True)
        cells = self._cells(words)
        before = cells[:, self.data]
        cells[place, places % WORD] ^= True
        after, lost = self.code.decode(self._codewords(cells))
        bits = words[:, None] * WORD + np.arange(WORD)
        changed = np.zeros(cells.shape, bool)
        changed[:, self.data] = before != after
        changed[:, self.spare] = changed[:, self.spare - 1]  # the second bit is read as the first
        self.memory.flip(bits[changed])
        if self.detected == "zero":
            self.memory.zero(bits[lost].ravel())

    def _cells(self, words: Addresses) -> Words:
        """What the cells of these words hold, [words, 64]: check bits stand in the places to spare."""
        cells = self.memory.read((words[:, None] * WORD + np.arange(WORD)).ravel()).reshape(-1, WORD)
        checks = self.code.encode(cells[:, self.data])[:, np.r_[0, self.code.checks]]
        cells[:, self.spare] = checks
        return cells

    def _codewords(self, cells: Words) -> Words:
        words = np.zeros(cells.shape, bool)
        words[:, self.code.data] = cells[:, self.data]
        words[:, np.r_[0, self.code.checks]] = cells[:, self.spare]
        return words


def _inside(addresses: Addresses, memory: Memory) -> Addresses:
    return addresses[addresses < memory.size]


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
