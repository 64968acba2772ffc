"""Where and with what something was measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from robench.engine.model import ModelUnderTest
from robench.engine.precision import BFloat16


def provenance(model: ModelUnderTest) -> dict[str, str]:
    """Versions, commit, machine, time, and what attacks took gradients in."""
    device = model.original.device
    return {
        "robench": version("robench"),
        "commit": commit_of(Path(__file__).parents[2]),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "verdicts": str(getattr(model.exact.model, "runtime", "float32, TF32 off")),
        "gradients": "bfloat16" if isinstance(model.gradients.model, BFloat16) else "float32",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit_of(checkout: Path) -> str:
    """The commit that is checked out, with a + where files differ from it; "" outside robench's own checkout."""
    if _git(checkout, "rev-parse", "--show-toplevel") != str(checkout):
        return ""
    return _git(checkout, "rev-parse", "--short=12", "HEAD") + ("+" if _git(checkout, "status", "--porcelain") else "")


def _git(folder: Path, *words: str) -> str:
    try:
        result = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
