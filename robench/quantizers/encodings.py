"""Encodings: which bit pattern stands for a weight in memory.

A pattern is a non-negative integer of a fixed number of bits; its highest bit is written first. Integer encodings turn
codes (small integers) into patterns, float encodings the values themselves.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean

Patterns = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int64]


class Encoding(ABC):
    """How one weight is written in ``bits`` bits.

    Attributes:
        name: as files and suites write it.
        widths: the numbers of bits that it is defined for.
    """

    name: ClassVar[str]
    widths: ClassVar[tuple[int, ...]]

    @abstractmethod
    def to_patterns(self, values: torch.Tensor, bits: int) -> Patterns:
        """Codes or floats -> patterns, of the same shape."""

    @abstractmethod
    def from_patterns(self, patterns: Patterns, bits: int) -> torch.Tensor:
        """Patterns -> codes (int8) or floats; every pattern stands for something."""


class FloatEncoding(Encoding):
    """IEEE 754 or bfloat16: sign, exponent, mantissa.

    Attributes:
        dtype: torch's type of these floats.
        integer: torch's signed integer type of the same width.
    """

    dtype: ClassVar[torch.dtype]
    integer: ClassVar[torch.dtype]

    def to_patterns(self, values: torch.Tensor, bits: int) -> Patterns:
        """The bits of each float."""
        whole = values.contiguous().view(self.integer).to(torch.int64).numpy()
        return (whole & (2**bits - 1)).astype(np.uint32)

    def from_patterns(self, patterns: Patterns, bits: int) -> torch.Tensor:
        """The float of these bits; it may be infinite, or not a number."""
        signed = patterns.astype(np.int64)
        signed -= (signed >> (bits - 1)) << bits
        return torch.from_numpy(signed).to(self.integer).view(self.dtype)


class Float32(FloatEncoding):
    """1 sign bit, 8 of the exponent, 23 of the mantissa."""

    name, widths, dtype, integer = "float32", (32,), torch.float32, torch.int32


class BFloat16(FloatEncoding):
    """1 sign bit, 8 of the exponent, 7 of the mantissa."""

    name, widths, dtype, integer = "bfloat16", (16,), torch.bfloat16, torch.int16


class Float16(FloatEncoding):
    """1 sign bit, 5 of the exponent, 10 of the mantissa."""

    name, widths, dtype, integer = "float16", (16,), torch.float16, torch.int16


class IntegerEncoding(Encoding):
    """An encoding of integer codes."""

    @abstractmethod
    def codes(self, bits: int) -> Codes:
        """The code that each pattern 0, 1, ..., 2^bits - 1 stands for."""

    def valid(self, bits: int) -> Codes:
        """The codes that a weight may have, ascending."""
        return np.unique(self.codes(bits))

    def nearest(self, values: npt.NDArray[np.floating], bits: int) -> torch.Tensor:
        """The valid code nearest to each value (of two, the lower), int8."""
        valid = self.valid(bits)
        middles = (valid[1:] + valid[:-1]) / 2
        return torch.from_numpy(valid[np.searchsorted(middles, values)].astype(np.int8))

    def to_patterns(self, values: torch.Tensor, bits: int) -> Patterns:
        """The lowest pattern of each code."""
        codes = self.codes(bits)
        first = np.full(256, -1, np.int64)
        for pattern in reversed(range(len(codes))):
            first[codes[pattern] + 128] = pattern
        return first[values.numpy().astype(np.int64) + 128].astype(np.uint32)

    def from_patterns(self, patterns: Patterns, bits: int) -> torch.Tensor:
        """The code of each pattern, int8."""
        return torch.from_numpy(self.codes(bits)[patterns].astype(np.int8))


class Sign(IntegerEncoding):
    """One bit: 0 for -1, 1 for +1."""

    name, widths = "sign", (1,)

    def codes(self, bits: int) -> Codes:
        """-1, +1."""
        return np.array([-1, 1])


class Ternary(IntegerEncoding):
    """Two bits: 00, 01, 10 for -1, 0, +1; the unused 11 reads as 0."""

    name, widths = "ternary", (2,)

    def codes(self, bits: int) -> Codes:
        """-1, 0, +1, 0."""
        return np.array([-1, 0, 1, 0])


class TwosComplement(IntegerEncoding):
    """-2^(bits - 1) to 2^(bits - 1) - 1; the highest bit counts -2^(bits - 1)."""

    name, widths = "twos_complement", tuple(range(2, 9))

    def codes(self, bits: int) -> Codes:
        """0, 1, ..., then the negative ones from the least on."""
        half = 2 ** (bits - 1)
        return np.r_[0:half, -half:0]


class OffsetBinary(IntegerEncoding):
    """-2^(bits - 1) to 2^(bits - 1) - 1, each written as code + 2^(bits - 1): an unsigned integer."""

    name, widths = "offset_binary", tuple(range(1, 9))

    def codes(self, bits: int) -> Codes:
        """In ascending order."""
        half = 2 ** (bits - 1)
        return np.arange(-half, half)


class SignMagnitude(IntegerEncoding):
    """The highest bit is the sign (1 for negative), the others the magnitude; 0 is written with sign 0."""

    name, widths = "sign_magnitude", tuple(range(2, 9))

    def codes(self, bits: int) -> Codes:
        """0, 1, ..., then 0, -1, ..."""
        half = 2 ** (bits - 1)
        return np.r_[0:half, -np.arange(half)]


ENCODINGS: dict[str, Encoding] = {
    encoding.name: encoding
    for encoding in (
        Float32(),
        BFloat16(),
        Float16(),
        Sign(),
        Ternary(),
        TwosComplement(),
        OffsetBinary(),
        SignMagnitude(),
    )
}
FLOATS = {encoding.dtype: encoding for encoding in ENCODINGS.values() if isinstance(encoding, FloatEncoding)}


def encoding_named(name: str, bits: int) -> Encoding:
    """An encoding by name.

    Raises:
        RobenchError: there is none, or it has no such width.
    """
    if name not in ENCODINGS:
        raise RobenchError(f"no encoding is named {name!r}; {did_you_mean(name, list(ENCODINGS))}")
    if bits not in ENCODINGS[name].widths:
        widths = ", ".join(map(str, ENCODINGS[name].widths))
        raise RobenchError(f"the encoding {name} has {widths} bits, not {bits}.")
    return ENCODINGS[name]
