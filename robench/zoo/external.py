"""Models that were not made here: timm's, and whatever a function of the user's gives; checkpoints for both."""

import importlib
import importlib.util
import pickle
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from robench.core.errors import RobenchError, foreign_code
from robench.core.files import check_data_file, exists, expanded, short
from robench.core.optional import import_optional
from robench.core.plugins import loaded_plugin, run_file
from robench.core.registry import did_you_mean
from robench.engine.classifier import Classifier
from robench.zoo.network import cache_alone_if_offline

NESTED = ("state_dict", "model", "model_state_dict", "net")


def load_state(module: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Fill a module; every name, shape and kind of number must fit, else RobenchError."""
    check_fit(module, state, source)
    module.load_state_dict(state)


def check_fit(module: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Raise RobenchError where tensors do not fit a module, which may be one without memory (on ``meta``)."""
    wanted = module.state_dict()
    missing, unknown = [name for name in wanted if name not in state], [name for name in state if name not in wanted]
    if missing or unknown:
        what = f"{missing[0]} is missing" if missing else f"there is no {unknown[0]} in the model"
        raise RobenchError(f"the weights in {source} do not fit the model: {what}.")
    for name, tensor in state.items():
        own = wanted[name]
        if tensor.shape != own.shape:
            raise RobenchError(
                f"the weights in {source} do not fit the model: {name} is {list(tensor.shape)}, and the model has "
                f"{list(own.shape)}."
            )
        if tensor.is_complex() or (own.is_floating_point() and not tensor.is_floating_point()):
            raise RobenchError(f"the weights in {source} do not fit the model: {name} holds {tensor.dtype}.")


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from a safetensors or torch file; a torch file that wants to run code is refused.

    Raises:
        RobenchError: the file is missing, damaged, holds code or no tensors.
    """
    check_data_file(path, "checkpoint")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RobenchError(
            f"the checkpoint {path} is not loaded: it holds more than tensors, or is damaged. Save model.state_dict() "
            "alone, or as safetensors."
        ) from error
    except Exception as error:  # torch's and safetensors' readers raise many kinds on damaged files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"the checkpoint {path} cannot be read: {short(reason)}.") from error
    for key in NESTED:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(map(_is_plain, state.items())):
        raise RobenchError(f"the checkpoint {path} holds no state dict of plain tensors; save model.state_dict().")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _is_plain(entry: tuple[Any, Any]) -> bool:
    name, tensor = entry
    if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
        return False
    return tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_nested or tensor.is_meta)


def create_timm(name: str, num_classes: int, *, pretrained: bool = False) -> Any:
    """A network of timm's, untrained unless ``pretrained``."""
    timm = import_optional("timm")
    if name not in timm.list_models():
        raise RobenchError(f"timm has no model {name!r}; {short(did_you_mean(name, timm.list_models()), 300)}")
    try:
        with cache_alone_if_offline() if pretrained else nullcontext():
            return timm.create_model(name, pretrained=pretrained, num_classes=num_classes)
    except (OSError, RuntimeError, ValueError) as error:
        raise RobenchError(
            f"the pretrained weights of timm:{name} are not in the cache and could not be fetched; "
            "give a file with --checkpoint."
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
    if not module_name or not factory_name:
        raise RobenchError(f"{short(spec)} is not of the form package.module:factory or path/to/file.py:factory.")
    factory = getattr(_import(module_name), factory_name, None)
    if not callable(factory):
        raise RobenchError(f"{module_name} has no function {factory_name!r}; check the name after the colon.")
    with foreign_code(spec):
        module = factory()
    if not isinstance(module, nn.Module):
        raise RobenchError(f"{spec} gave a {type(module).__name__}; it must give a torch.nn.Module.")
    if checkpoint is not None:
        load_state(module, read_checkpoint(checkpoint), str(checkpoint))
    return module


def _import(name: str) -> ModuleType:
    if not name.endswith(".py"):
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        with foreign_code(name):
            return importlib.import_module(name)
    path = expanded(Path(name))
    if not exists(path):
        raise RobenchError(f"there is no file {short(path)}; check the path before the colon.")
    if plugin := loaded_plugin(path):
        return plugin
    with foreign_code(name):
        return run_file(f"robench_user_{path.stem}", path.resolve())
