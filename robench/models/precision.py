"""A model that computes in bfloat16: for gradients, never for a verdict."""

import torch
from torch import nn


class BFloat16(nn.Module):
    """Runs a float32 model under bfloat16 autocast; logits come back in float32.

    Attributes:
        slack: a bfloat16 has 8 significant bits; two of them are left to what adds up over the layers.
    """

    slack = 2.0**-6

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 images [N, C, H, W] -> float32 logits [N, classes]."""
        with torch.autocast(x.device.type, torch.bfloat16):
            logits: torch.Tensor = self.model(x)
        return logits.float()


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, so that it is faster there and not slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe is not None and probe() for probe in probes)
