"""The precision of computing: bfloat16 where the device is fast at it, else float32; verdicts are always float32."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from robench.core.errors import RobenchError

PRECISIONS = ("bfloat16", "float32")
EMULATING = {"AVX512_CORE", "AVX512_CORE_VNNI"}
"""Values of ONEDNN_MAX_CPU_ISA under which oneDNN offers bfloat16, but emulates it."""


def choose_precision(name: str, device: torch.device) -> str:
    """``bfloat16`` or ``float32`` as they were asked for; for ``auto``, bfloat16 where the device is fast at it."""
    if name not in ("auto", *PRECISIONS):
        raise RobenchError(f"there is no precision {name!r}; choose auto, bfloat16 or float32.")
    if name == "auto":
        return "bfloat16" if fast_in_bfloat16(device) else "float32"
    return name


def fast_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, and the library that computes there uses them.

    Without them bfloat16 is emulated: training takes 9 to 17 times as long as in float32. On a CPU that library is
    oneDNN, which heeds the environment variable ONEDNN_MAX_CPU_ISA: with ``AVX2`` a processor that is fast at bfloat16
    behaves as one that is not.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _offered_by_onednn() and _in_processor()


def _offered_by_onednn() -> bool:
    cap = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    if cap in EMULATING or not torch.backends.mkldnn.is_available():
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 (there is no public way to ask)


def _in_processor() -> bool:
    """oneDNN offers bfloat16 on all of AVX-512, also where the processor has no instructions for it."""
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe is not None and probe() for probe in probes)


@contextmanager
def reproducibly() -> Iterator[None]:
    """As long as the block lasts, CUDA computes float32 in float32, and the same gradients each time.

    Its convolutions are in TF32 otherwise, with the 10 bits of mantissa of a float16, and cuDNN may add up their
    gradients in any order.
    """
    settings: tuple[tuple[Any, str, bool], ...] = (
        (torch.backends.cudnn, "allow_tf32", False),
        (torch.backends.cuda.matmul, "allow_tf32", False),
        (torch.backends.cudnn, "deterministic", True),
    )
    before = [getattr(backend, name) for backend, name, _ in settings]
    for backend, name, wanted in settings:
        setattr(backend, name, wanted)
    try:
        yield
    finally:
        for (backend, name, _), usual in zip(settings, before, strict=True):
            setattr(backend, name, usual)


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
