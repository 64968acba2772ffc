"""Models in files that bring their own graph: TorchScript, exported programs, ONNX."""

from collections.abc import Callable
from pathlib import Path

from torch import fx, nn

from robench.core.errors import RobenchError
from robench.core.files import check_data_file, expanded
from robench.engine.foreign import unwrapped
from robench.engine.loaded import LoadedModel, from_module

Loader = Callable[[Path, str], LoadedModel]
"""(file, name of the model) -> the model."""

ENDINGS = {".onnx": "onnx", ".pt2": "pt2", ".ts": "torchscript", ".torchscript": "torchscript"}
"""Of files that are in one of these formats."""


def _onnx(path: Path, name: str) -> LoadedModel:
    from robench.formats.onnx.load import load

    return load(path, name)


def _torchscript(path: Path, name: str) -> LoadedModel:
    from robench.formats.torchscript import load

    return load(path, name)


def _pt2(path: Path, name: str) -> LoadedModel:
    from robench.formats.exported import load

    return load(path, name)


FORMATS: dict[str, Loader] = {"onnx": _onnx, "torchscript": _torchscript, "pt2": _pt2}


def is_file_format(spec: str) -> bool:
    """Whether a model is ``onnx:FILE``, ``torchscript:FILE`` or ``pt2:FILE``."""
    return spec.partition(":")[0] in FORMATS


def load_file(spec: str) -> LoadedModel:
    """A model in a file of its own format.

    Raises:
        RobenchError: there is no such file, it is damaged, would run code, or its library is missing.
    """
    name, _, path = spec.partition(":")
    if not path:
        raise RobenchError(f"{spec} names no file; write {name}:PATH.")
    file = expanded(Path(path))
    check_data_file(file, f"{name} file")
    return FORMATS[name](file, spec)


def from_any(module: nn.Module, name: str, *, own: bool = False) -> LoadedModel:
    """A module of the user's, or of a factory's; arguments as for ``robench.engine.loaded.from_module``.

    A program of torch.export, quantized or not, becomes what the same program from a file does.
    """
    from robench.formats.exported import from_program, is_program

    module = unwrapped(module)
    if is_program(module):
        assert isinstance(module, fx.GraphModule)
        return from_program(module, name)
    return from_module(module, name, own=own)


def meant(spec: str) -> str:
    """How a file of a known format that was named without it is written; "" for other names."""
    format_ = ENDINGS.get(Path(spec).suffix.lower())
    return f"{format_}:{spec}" if format_ else ""
