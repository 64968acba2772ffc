"""Outcomes of images as bits."""

import numpy as np

from robench.core.types import Bits


def pack(bits: Bits) -> bytes:
    """Bool [N] -> its bits, eight to a byte."""
    return np.packbits(bits).tobytes()


def unpack(packed: bytes, total: int) -> Bits:
    """The inverse of :func:`pack`."""
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=total).astype(bool)
