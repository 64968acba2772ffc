"""TorchScript: a program in torch's own language, with its weights."""

import re
import warnings
import zipfile
from pathlib import Path

import torch

from robench.core.errors import RobenchError, foreign_code
from robench.core.files import file_digest, short
from robench.core.types import ModelCard
from robench.engine.loaded import LoadedModel
from robench.engine.tracing import Opaque

OUTSIDE = re.compile(r"\bops\.(?!(?:prim|aten|quantized|torchvision)\b)\w+|\btorch\.(?:save|load|from_file)\b")
"""What a script must not call: operators of libraries (torchvision's ``image`` reads and writes files), and torch's own
that open files."""
SEALED = "the weights of a TorchScript program are out of reach"


class Scripted(Opaque):
    """A TorchScript program, as it was saved: without the rewriting that torch does after a few calls.

    Args:
        program: a loaded one, in eval mode as far as it has modes.
    """

    def __init__(self, program: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.program = program
        self.training = False

    def train(self, mode: bool = True) -> "Scripted":
        """It stays in eval mode, which frozen programs cannot leave."""
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pixels [N, C, H, W] -> logits."""
        # Optimized after the first calls, a program would give other bits for the same images.
        with torch.jit.optimized_execution(False):  # type: ignore[no-untyped-call]
            logits: torch.Tensor = self.program(x)
        return logits


def load(path: Path, name: str) -> LoadedModel:
    """A TorchScript file as a model.

    Its program is run by torch's interpreter, which knows torch's operators and nothing of Python or the machine.

    Args:
        path: what ``torch.jit.save`` wrote.
        name: of the model.

    Raises:
        RobenchError: it is damaged, or calls operators that reach beyond torch.
    """
    _check(path)
    with foreign_code(f"loading {name}"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather that files were exported
        program = torch.jit.load(str(path), map_location="cpu")
        if hasattr(program, "training"):
            program.eval()
    weights = sum(parameter.numel() for parameter in program.parameters() if parameter.dim() > 1)
    card = ModelCard(name, architecture=program.original_name).with_size(weights, path.stat().st_size)
    return LoadedModel(card, Scripted(program), sealed=SEALED, digest=file_digest(path))


def _check(path: Path) -> None:
    """Raise RobenchError where a file is no TorchScript archive, or names an operator that it must not call."""
    try:
        with zipfile.ZipFile(path) as archive:
            sources = [name for name in archive.namelist() if "/code/" in name and name.endswith(".py")]
            text = "\n".join(archive.read(name).decode() for name in sources)
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError) as error:
        raise RobenchError(f"{short(path)} is no TorchScript file, or damaged: {error}.") from error
    if not sources:
        raise RobenchError(
            f"{short(path)} holds no program; is it a checkpoint? TorchScript is what torch.jit.save writes."
        )
    found = OUTSIDE.search(text)
    if found:
        raise RobenchError(f"{short(path)} calls {found[0]}, which reaches beyond the network; it is not loaded.")
