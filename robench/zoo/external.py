"""Models that were not made here: timm's, and whatever a function of the user's gives; checkpoints for both."""

import importlib
import importlib.util
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from robench.core.errors import RobenchError
from robench.core.optional import import_optional
from robench.core.registry import did_you_mean
from robench.engine.classifier import Classifier

NESTED = ("state_dict", "model", "model_state_dict", "net")


def load_state(module: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Fill a module; every name and shape must fit, else RobenchError."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise RobenchError(f"the weights in {source} do not fit the model: {reason}") from error


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from a safetensors or torch file; a torch file that wants to run code is refused.

    Raises:
        RobenchError: the file is missing, damaged, holds code or no tensors.
    """
    if not path.is_file():
        raise RobenchError(f"there is no checkpoint {path}; check the path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RobenchError(
            f"the checkpoint {path} is not loaded: it holds more than tensors, or is damaged. Save model.state_dict() "
            "alone, or as safetensors."
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise RobenchError(f"the checkpoint {path} cannot be read: {str(error).splitlines()[0]}") from error
    for key in NESTED:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise RobenchError(f"the checkpoint {path} holds no state dict; save model.state_dict().")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def create_timm(name: str, num_classes: int, *, pretrained: bool = False) -> Any:
    """A network of timm's, untrained unless ``pretrained``."""
    timm = import_optional("timm")
    if name not in timm.list_models():
        raise RobenchError(f"timm has no model {name!r}; {did_you_mean(name, timm.list_models())}")
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=num_classes)
    except (OSError, RuntimeError, ValueError) as error:
        raise RobenchError(
            f"the pretrained weights of timm:{name} could not be fetched; give a file with --checkpoint."
        ) from error


def load_timm(name: str, num_classes: int, checkpoint: Path | None) -> nn.Module:
    """A timm model behind its own normalisation; pretrained weights unless a checkpoint is given."""
    network = create_timm(name, num_classes, pretrained=checkpoint is None)
    if checkpoint is not None:
        load_state(network, read_checkpoint(checkpoint), str(checkpoint))
    return Classifier(network, network.pretrained_cfg["mean"], network.pretrained_cfg["std"])


def load_factory(spec: str, checkpoint: Path | None) -> nn.Module:
    """``package.module:factory`` or ``path/to/file.py:factory``: a function without arguments that gives the model."""
    module_name, _, factory_name = spec.rpartition(":")
    factory = getattr(_import(module_name), factory_name, None)
    if not callable(factory):
        raise RobenchError(f"{module_name} has no function {factory_name!r}; check the name after the colon.")
    module = _guarded(spec, factory)
    if not isinstance(module, nn.Module):
        raise RobenchError(f"{spec} gave a {type(module).__name__}; it must give a torch.nn.Module.")
    if checkpoint is not None:
        load_state(module, read_checkpoint(checkpoint), str(checkpoint))
    return module


def _guarded(spec: str, action: Callable[[], Any]) -> Any:
    """Run the user's own code, whose failures may be of any kind."""
    try:
        return action()
    except Exception as error:
        raise RobenchError(f"{spec} failed with {type(error).__name__}: {error}") from error


def _import(name: str) -> ModuleType:
    if not name.endswith(".py"):
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return _guarded(name, lambda: importlib.import_module(name))
    path = Path(name).expanduser()
    if not path.is_file():
        raise RobenchError(f"there is no file {path}; check the path before the colon.")
    spec = importlib.util.spec_from_file_location(f"robench_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    _guarded(name, lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module
