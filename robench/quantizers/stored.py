"""Stored weights: how a file, and the memory of a device, hold a weight."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from robench.core.errors import RobenchError
from robench.quantizers.encodings import FLOATS, Codes, Encoding, IntegerEncoding, Patterns, encoding_named


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """One weight tensor as it is stored: floats, or integer codes with scales.

    A code c stands for ``scale * (c - zero_point)``, or for a level in a table.

    Attributes:
        values: float32, bfloat16 or float16 values, or int8 codes; the shape of the weight, [F, ...].
        encoding: name of the encoding of one value as a bit pattern (see ``robench.quantizers.encodings``).
        bits: of one value: 32 or 16 for floats, 1 to 8 for codes.
        scale: of codes, float32: [1, G], or [2, G] where negative codes have a scale of their own (row 0; row 1 is for
            the others); G is 1 (per tensor) or F (per filter). For codes of at least 2 bits also [2^bits, G]: a table
            of levels, whose first row is for the code -2^(bits - 1). None for floats.
        zero_point: of codes, int16 [1, G]: the code of the weight 0, where that is not 0. None for none.

    Raises:
        RobenchError: types, shapes or codes do not fit each other.
    """

    values: torch.Tensor
    encoding: str
    bits: int
    scale: torch.Tensor | None = None
    zero_point: torch.Tensor | None = None

    def __post_init__(self) -> None:
        encoding = encoding_named(self.encoding, self.bits)
        problem = (
            _problem_of_codes(self, encoding) if isinstance(encoding, IntegerEncoding) else _problem_of_floats(self)
        )
        if problem:
            raise RobenchError(f"a weight stored as {self.encoding} with {self.bits} bits {problem}.")

    @property
    def is_coded(self) -> bool:
        """Whether it holds integer codes."""
        return self.scale is not None

    def weight(self) -> torch.Tensor:
        """The float32 weight that the layer computes with."""
        return self.values.float() if self.scale is None else decode(self.values, self.scale, self.zero_point)

    def patterns(self) -> Patterns:
        """The bit pattern of each value, of the shape of the weight."""
        return encoding_named(self.encoding, self.bits).to_patterns(self.values.cpu(), self.bits)

    def with_patterns(self, patterns: Patterns) -> "StoredWeight":
        """The weight that these patterns stand for, with the same scales."""
        values = encoding_named(self.encoding, self.bits).from_patterns(patterns, self.bits)
        return replace(self, values=values.view(self.values.shape).to(self.values.device))

    def pack(self) -> torch.Tensor:
        """The patterns bit by bit, uint8 [F, bytes]: each row is flattened, and padded to whole bytes."""
        patterns = self.patterns().reshape(len(self.values), -1)
        places = np.arange(self.bits - 1, -1, -1, dtype=np.uint32)
        bits = ((patterns[..., None] >> places) & 1).astype(np.uint8)
        return torch.from_numpy(np.packbits(bits.reshape(len(patterns), -1), axis=1))


def decode(codes: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor | None = None) -> torch.Tensor:
    """The float32 weight that codes stand for; scales and zero points as in :class:`StoredWeight`."""

    def per_filter(row: torch.Tensor) -> torch.Tensor:
        return row.view(-1, *[1] * (codes.dim() - 1))

    if len(scale) > 2:
        rows = codes.long().flatten(1) + len(scale) // 2
        return scale.T.expand(len(codes), -1).gather(1, rows).view(codes.shape)
    steps = codes if zero_point is None else codes.to(torch.int16) - per_filter(zero_point[0])
    if len(scale) == 1:
        return per_filter(scale[0]) * steps
    return torch.where(steps < 0, per_filter(scale[0]), per_filter(scale[1])) * steps


def unpack(packed: torch.Tensor, encoding: str, bits: int, shape: tuple[int, ...]) -> torch.Tensor:
    """The values of a weight of ``shape`` that :meth:`StoredWeight.pack` packed.

    Raises:
        RobenchError: unknown encoding, or bytes of another number.
    """
    known = encoding_named(encoding, bits)
    count = int(np.prod(shape[1:]))
    expected = [shape[0], -(-count * bits // 8)]
    if packed.dtype != torch.uint8 or list(packed.shape) != expected:
        raise RobenchError(
            f"codes of {bits} bits for a weight {list(shape)} take uint8 {expected}, and these are {packed.dtype} "
            f"{list(packed.shape)}"
        )
    rows = np.unpackbits(packed.numpy(), axis=1, count=count * bits).reshape(shape[0], count, bits)
    places = np.arange(bits - 1, -1, -1, dtype=np.uint32)
    patterns = (rows.astype(np.uint32) << places).sum(-1, dtype=np.uint32)
    return known.from_patterns(patterns, bits).view(shape)


def stored_float(weight: torch.Tensor) -> StoredWeight:
    """A weight in full precision, as it is."""
    weight = weight.detach().cpu()
    encoding = FLOATS.get(weight.dtype) or FLOATS[torch.float32]
    return StoredWeight(weight.to(encoding.dtype), encoding.name, encoding.widths[0])


def coded(codes: torch.Tensor, scale: torch.Tensor, bits: int, zero_point: torch.Tensor | None = None) -> StoredWeight:
    """Codes in the usual encoding of their width: sign for 1 bit, ternary for codes in {-1, 0, 1}, two's complement."""
    small = bits == 2 and bool((codes.abs() <= 1).all()) and zero_point is None
    encoding = "sign" if bits == 1 else "ternary" if small else "twos_complement"
    return StoredWeight(codes.to(torch.int8), encoding, bits, scale, zero_point)


def _problem_of_floats(stored: StoredWeight) -> str:
    encoding: Encoding | None = FLOATS.get(stored.values.dtype)
    if encoding is None or encoding.name != stored.encoding:
        return f"holds {stored.values.dtype}"
    return "has scales, which floats do not need" if stored.scale is not None or stored.zero_point is not None else ""


def _problem_of_codes(stored: StoredWeight, encoding: IntegerEncoding) -> str:
    values = stored.values
    if values.dtype != torch.int8 or values.dim() < 1:
        return f"needs int8 codes [F, ...], and these are {values.dtype} {list(values.shape)}"
    return _problem_of_scales(stored) or _problem_of_range(values, encoding.valid(stored.bits))


def _problem_of_scales(stored: StoredWeight) -> str:
    filters, scale, zero = len(stored.values), stored.scale, stored.zero_point
    if scale is None or scale.dtype != torch.float32 or scale.dim() != 2 or len(scale) not in (1, 2, 2**stored.bits):
        return f"needs scales, float32 [1 or 2, G], or a table of levels [{2**stored.bits}, G]"
    if len(scale) > 2 and stored.zero_point is not None:
        return "has a zero point, which a table of levels does not need"
    if scale.shape[1] not in (1, filters):
        return f"needs 1 scale or one for each of {filters} filters, and has {scale.shape[1]}"
    if not scale.isfinite().all():
        return "has scales that are not finite"
    if zero is not None and (zero.dtype != torch.int16 or zero.shape != (1, scale.shape[1])):
        return f"needs zero points int16 [1, {scale.shape[1]}]"
    return ""


def _problem_of_range(codes: torch.Tensor, valid: Codes) -> str:
    lowest, highest = int(valid[0]), int(valid[-1])
    if codes.numel() and (codes.min() < lowest or codes.max() > highest):
        return f"has codes from {int(codes.min())} to {int(codes.max())}; they may run from {lowest} to {highest}"
    if len(valid) <= highest - lowest and not torch.isin(codes, torch.from_numpy(valid).to(codes)).all():
        return f"has other codes than {', '.join(map(str, valid))}"
    return ""
