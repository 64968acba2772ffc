"""Models that were not made here: timm's, and whatever a function of the user's gives."""

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from torch import nn

from robench.core.errors import RobenchError, foreign_code
from robench.core.files import exists, expanded, read_text, short
from robench.core.optional import import_optional
from robench.core.plugins import loaded_plugin, run_file
from robench.core.registry import did_you_mean
from robench.core.types import Value
from robench.engine.classifier import Classifier
from robench.zoo.checkpoints import load_checkpoint
from robench.zoo.network import cache_alone_if_offline

Options = Mapping[str, Value]
NO_OPTIONS: Options = MappingProxyType({})


def create_timm(name: str, num_classes: int, options: Options = NO_OPTIONS, *, pretrained: bool = False) -> Any:
    """A network of timm's, untrained unless ``pretrained``; ``options`` are timm's own, such as ``img_size``."""
    timm = import_optional("timm")
    if name not in timm.list_models():
        raise RobenchError(f"timm has no model {name!r}; {short(did_you_mean(name, timm.list_models()), 300)}")
    try:
        with cache_alone_if_offline() if pretrained else nullcontext():
            return timm.create_model(name, pretrained=pretrained, num_classes=num_classes, **options)
    except TypeError as error:
        raise RobenchError(f"timm:{name} does not take the options {dict(options)}: {short(error)}.") from error
    except (OSError, RuntimeError, ValueError) as error:
        if not pretrained:
            raise RobenchError(f"timm:{name} cannot be built with {dict(options)}: {short(error)}.") from error
        raise RobenchError(
            f"the pretrained weights of timm:{name} are not in the cache and could not be fetched; "
            "give a file with --checkpoint."
        ) from error


def load_timm(name: str, num_classes: int, checkpoint: Path | None, options: Options = NO_OPTIONS) -> nn.Module:
    """A timm model behind its own normalisation; pretrained weights unless a checkpoint is given."""
    network = create_timm(name, num_classes, options, pretrained=checkpoint is None)
    if checkpoint is not None:
        load_checkpoint(network, checkpoint)
    return Classifier(network, network.pretrained_cfg["mean"], network.pretrained_cfg["std"])


def load_factory(spec: str, checkpoint: Path | None, options: Options = NO_OPTIONS) -> nn.Module:
    """``package.module:factory`` or ``path/to/file.py:factory``: a function that gives the model.

    Args:
        spec: as above.
        checkpoint: weights to load into it.
        options: its keyword arguments.

    Raises:
        RobenchError: there is no such function, it fails, or gives no module; the checkpoint does not fit.
    """
    module_name, _, factory_name = spec.rpartition(":")
    if not module_name or not factory_name:
        raise RobenchError(f"{short(spec)} is not of the form package.module:factory or path/to/file.py:factory.")
    factory = getattr(_import(module_name), factory_name, None)
    if not callable(factory):
        raise RobenchError(f"{module_name} has no function {factory_name!r}; check the name after the colon.")
    with foreign_code(spec):
        _check_arguments(factory, spec, options)
        with redirect_stdout(sys.stderr):  # what it prints must not mix with results, which may be JSON
            module = factory(**options)
    if not isinstance(module, nn.Module):
        raise RobenchError(f"{spec} gave a {type(module).__name__}; it must give a torch.nn.Module.")
    if checkpoint is not None:
        load_checkpoint(module, checkpoint)
    return module


def functions_in(path: Path) -> list[str]:
    """The names of the functions of a file that could be factories; nothing of it is run."""
    try:
        body = ast.parse(read_text(path)).body
    except (SyntaxError, ValueError):
        return []
    return [part.name for part in body if isinstance(part, ast.FunctionDef) and not part.name.startswith("_")]


def _check_arguments(factory: Any, spec: str, options: Options) -> None:
    """Raise RobenchError where a factory cannot be called with these options."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # a builtin shows none
        return
    try:
        signature.bind(**options)
    except TypeError as error:
        raise RobenchError(f"{spec}{signature}: {error}; give its arguments as --option NAME=VALUE.") from error


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
