"""Quantization as graphs write it: steps to codes and back, and weights that are stored as codes."""

from typing import Any

import torch

from robench.engine.tracing import Opaque
from robench.quantizers.stored import StoredWeight

Affine = tuple[torch.Tensor, torch.Tensor]
"""Scale and zero point, float32: of one tensor [], or of each slice along an axis [G]."""


class _Round(torch.autograd.Function):
    """q = clip(round(x / s) + z); the gradient passes straight through within the range, and is 0 beyond it."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, low: int, high: int
    ) -> torch.Tensor:
        codes = torch.round(x / scale).add_(zero)  # halves to even, as runtimes do
        if x.requires_grad:
            ctx.save_for_backward((codes >= low) & (codes <= high), scale)
        return codes.clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        inside, scale = ctx.saved_tensors
        return gradients[0] * inside / scale, None, None, None, None


class Quantize(Opaque):
    """Values -> codes, as float32.

    The gradient is straight-through within the range and 0 beyond it (fake quantization; Jacob et al. 2018,
    arXiv:1712.05877).

    Args:
        scale, zero_point: see ``Affine``.
        low, high: of the codes.
        axis: along which there are several scales.
    """

    surrogate = True
    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(self, scale: torch.Tensor, zero_point: torch.Tensor, low: int, high: int, axis: int = 1) -> None:
        super().__init__()
        self.register_buffer("scale", scale.float())
        self.register_buffer("zero_point", zero_point.float())
        self.low, self.high, self.axis = low, high, axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of the shape of x."""
        scale, zero = _along(self.scale, self.axis, x), _along(self.zero_point, self.axis, x)
        codes: torch.Tensor = _Round.apply(x, scale, zero, self.low, self.high)
        return codes


class Dequantize(Opaque):
    """Codes, as float32, -> the values that they stand for; arguments as for :class:`Quantize`."""

    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(self, scale: torch.Tensor, zero_point: torch.Tensor, axis: int = 1) -> None:
        super().__init__()
        self.register_buffer("scale", scale.float())
        self.register_buffer("zero_point", zero_point.float())
        self.axis = axis

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Of the shape of the codes."""
        values: torch.Tensor = (codes.float() - _along(self.zero_point, self.axis, codes)) * _along(
            self.scale, self.axis, codes
        )
        return values


def _along(values: torch.Tensor, axis: int, like: torch.Tensor) -> torch.Tensor:
    """[] as it is; [G] so that it is broadcast along an axis of ``like``."""
    if values.numel() == 1:
        return values.reshape(())
    shape = [1] * like.dim()
    shape[axis] = -1
    return values.reshape(shape)


def stored_codes(codes: torch.Tensor, affine: Affine, bits: int, *, signed: bool) -> StoredWeight | None:
    """How a weight is stored whose integers a file holds.

    Args:
        codes: integers [F, ...].
        affine: scale and zero point, one or F of each.
        bits: of a code, 1 to 8.
        signed: whether codes are two's complement; unsigned ones are offset binary.

    Returns:
        None where the scales are not one a tensor or one a filter.
    """
    scale, zero = (part.reshape(1, -1) for part in affine)
    if scale.shape[1] not in (1, len(codes)) or not 1 <= bits <= 8:
        return None
    offset = 0 if signed else 2 ** (bits - 1)
    shifted = (codes.to(torch.int16) - offset).to(torch.int8)
    points = (zero.to(torch.int16) - offset).expand_as(scale).contiguous()
    encoding = "twos_complement" if signed and bits > 1 else "offset_binary"
    return StoredWeight(shifted, encoding, bits, scale.float(), points if points.any() else None)
