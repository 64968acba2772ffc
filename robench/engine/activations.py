"""Quantized activations: the input of each layer in a few bits, as integer hardware holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.engine.layers import weighted_layers
from robench.quantizers.files import ActivationCode

BATCH = 250
Range = tuple[float, float]


@dataclass(frozen=True)
class QuantizedInput:
    """A hook before a layer that rounds its input to codes: x = s (clip(round(x / s) + z, 0, 2^bits - 1) - z).

    The gradient is straight-through within the range and 0 beyond it (fake quantization; Jacob et al. 2018,
    arXiv:1712.05877). A hook stays with a layer when that is copied, and so with its form without batch norm.
    """

    code: ActivationCode

    def __call__(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """The quantized input."""
        x, *others = inputs
        code = self.code
        rounded = torch.fake_quantize_per_tensor_affine(x.float(), code.scale, code.zero_point, 0, 2**code.bits - 1)
        return (rounded.to(x.dtype), *others)


def quantize_inputs(module: nn.Module, codes: Mapping[str, ActivationCode]) -> None:
    """Let layers of a module round their inputs from now on.

    Raises:
        RobenchError: it has no such layer.
    """
    layers = weighted_layers(module)
    for name, code in codes.items():
        if name not in layers:
            raise RobenchError(f"the model has no layer {name!r} whose input could be quantized.")
        layers[name].register_forward_pre_hook(QuantizedInput(code))


def calibrated(module: nn.Module, images: torch.Tensor, bits: int) -> dict[str, ActivationCode]:
    """Codes for the inputs of all layers, from the smallest to the largest value that they take on ``images``.

    A range always holds 0, which has a code of its own. Layers that are never called are left out.

    Args:
        module: float32 pixels in [0, 1] -> logits.
        images: uint8 [N, C, H, W] of the training set.
        bits: of a code.
    """
    ranges: dict[str, Range] = {}

    def watch(name: str) -> Any:
        def hook(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = min(low, float(inputs[0].min())), max(high, float(inputs[0].max()))

        return hook

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in weighted_layers(module).items()]
    device = next((parameter.device for parameter in module.parameters()), images.device)
    try:
        with torch.no_grad():
            for part in images.split(BATCH):
                module(part.to(device).float() / 255)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _code(*found, bits) for name, found in ranges.items()}


def _code(low: float, high: float, bits: int) -> ActivationCode:
    largest = 2**bits - 1
    scale = float(torch.tensor((high - low) / largest)) or 1.0  # float32, as it is stored
    return ActivationCode(scale, min(max(round(-low / scale), 0), largest), bits)
