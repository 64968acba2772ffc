"""In which precision is computed."""

import os
import subprocess
import sys

import pytest
import torch

from robench.core.errors import RobenchError
from robench.engine import precision
from robench.engine.precision import choose_precision, fast_in_bfloat16, reproducibly
from robench.measure.run import Request, open_run

CPU = torch.device("cpu")


@pytest.mark.parametrize("fast", [True, False])
def test_auto_asks_the_device_and_a_name_is_taken_at_its_word(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_in_bfloat16", lambda device: fast)
    assert choose_precision("auto", CPU) == ("bfloat16" if fast else "float32")
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    assert choose_precision("float32", CPU) == "float32"
    with pytest.raises(RobenchError, match="no precision 'half'; choose auto, bfloat16 or float32"):
        choose_precision("half", CPU)


@pytest.mark.parametrize(
    ("offered", "in_processor", "cap", "fast"),
    [
        (True, True, "", True),
        (True, True, "avx512_core_amx", True),
        (True, False, "", False),  # AVX-512 without bfloat16: oneDNN offers it, and emulates it
        (False, True, "AVX2", False),  # oneDNN may not use what the processor has
        (True, True, "avx512_core", False),
        (False, False, "", False),
    ],
)
def test_a_cpu_is_fast_where_it_has_instructions_that_onednn_uses(
    offered: bool, in_processor: bool, cap: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: offered, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: in_processor, raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap)
    assert fast_in_bfloat16(CPU) == fast


def test_onednn_without_avx512_leaves_float32() -> None:
    """In a process of its own: oneDNN reads its settings once."""
    code = "import torch, robench.engine.precision as p; print(p.choose_precision('auto', torch.device('cpu')))"
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "float32"


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_that_emulates_bfloat16_is_not_fast_in_it(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert fast_in_bfloat16(torch.device("cuda")) == native


def test_float32_is_float32_on_cuda_while_a_run_lasts() -> None:
    def allowed() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = allowed()
    assert before[0]  # torch's default for convolutions
    with reproducibly():
        assert allowed() == (False, False)
    assert allowed() == before
    with open_run(Request(("alexnet_none_c",), "digits", "quick", twin="none", n_images=8)):
        assert allowed() == (False, False)
    assert allowed() == before
