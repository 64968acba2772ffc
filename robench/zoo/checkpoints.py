"""Checkpoints of any trainer's: read without running code, and matched to a module's own names."""

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from robench.core.errors import RobenchError, RobenchWarning
from robench.core.files import check_data_file, read_text, short

State = dict[str, torch.Tensor]
INDEX = ".safetensors.index.json"
"""The end of the name of a file that says in which of several files each tensor is."""
NESTED = ("state_dict", "model", "model_state_dict", "net", "network", "weights", "params")
"""Under which trainers keep the weights of a model, among other things."""
PREFIXES = ("model.", "module.", "_orig_mod.", "backbone.", "net.", "network.")
"""Before every name, where a wrapper was saved together with its network."""
COUNTERS = ("num_batches_tracked", "total_ops", "total_params", "n_averaged")
"""What counts and computes nothing: the last part of its name."""
PARTS = ("weight", "bias", "running_mean", "running_var")
"""Of a layer of torch's: the last part of a tensor's name."""
SHOWN = 3
TORCH_PROTOCOL = b"\x02"
"""Of the pickles that torch.save writes."""


def read_checkpoint(path: Path) -> State:
    """A state dict from a safetensors or torch file; a torch file that wants to run code is refused.

    Raises:
        RobenchError: the file is missing, damaged, holds code or no tensors.
    """
    if path.name.endswith(INDEX):
        return _of_shards(path)
    check_data_file(path, "checkpoint")
    _check_archive(path)
    _check_pickle(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        names = re.search(r"(?:GLOBAL|global:?|class) ([\w.]*\w\.\w+)", str(error))
        what = f"it holds more than tensors ({names[1]})" if names else "it holds more than tensors, or is damaged"
        raise RobenchError(
            f"the checkpoint {path} is not loaded: {what}. Save model.state_dict() alone, or as safetensors."
        ) from error
    except Exception as error:  # torch's and safetensors' readers raise many kinds on damaged files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"the checkpoint {path} cannot be read: {short(reason)}.") from error
    state = found
    for key in NESTED * 2:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(map(_is_plain, state.items())):
        raise RobenchError(
            f"the checkpoint {path} holds no state dict of plain tensors{_on_top(found)}; save model.state_dict()."
        )
    return dict(state)


def _of_shards(index: Path) -> State:
    """The tensors of the safetensors files that an index names, which lie beside it."""
    try:
        files = sorted(set(json.loads(read_text(index))["weight_map"].values()))
        names = [str(name) for name in files]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RobenchError(f"{index} is no index of safetensors files: it has no weight_map.") from error
    if wrong := [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]:
        raise RobenchError(f"{index} names {short(wrong[0], 80)}, which is no safetensors file beside it.")
    state: State = {}
    for name in names:
        state |= read_checkpoint(index.parent / name)
    return state


def _check_archive(path: Path) -> None:
    """Raise RobenchError where a file is a program that torch has exported, and no checkpoint."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        names = ["/".join(name.split("/")[1:]) for name in archive.namelist()[:10_000]]
    kind = "TorchScript" if any(name.startswith("code/") for name in names) else ""
    kind = "torch.export" if any(name.startswith("models/") or name == "archive_format" for name in names) else kind
    if kind:
        raise RobenchError(
            f"the checkpoint {path} is a whole program of {kind}, and no state dict; save model.state_dict()."
        )


def _check_pickle(path: Path) -> None:
    """Raise RobenchError where a file is a pickle that torch has not written, or neither an archive nor a pickle."""
    if path.suffix == ".safetensors" or zipfile.is_zipfile(path):
        return
    with path.open("rb") as file:
        start = file.read(2)
    if start[:1] != pickle.PROTO:
        raise RobenchError(f"the checkpoint {path} is damaged, or no file of torch's; save model.state_dict().")
    if start[1:] != TORCH_PROTOCOL:
        raise RobenchError(
            f"the checkpoint {path} is a pickle that torch has not written, and may run code; save model.state_dict() "
            "with torch.save, or as safetensors."
        )


def _on_top(found: Any) -> str:
    if not isinstance(found, Mapping) or not found:
        return ""
    return f" (on top it has {_some(map(str, found))})"


def _is_plain(entry: tuple[Any, Any]) -> bool:
    name, tensor = entry
    if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
        return False
    return tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_nested or tensor.is_meta)


def load_checkpoint(module: nn.Module, path: Path) -> None:
    """Fill a module from a checkpoint, whose names may differ (see ``matched``).

    Raises:
        RobenchError: it cannot be read, or does not fit.
    """
    load_state(module, matched(module, read_checkpoint(path), str(path)), str(path))


def load_state(module: nn.Module, state: State, source: str) -> None:
    """Fill a module; every name, shape and kind of number must fit, else RobenchError."""
    check_fit(module, state, source)
    module.load_state_dict(state)


def check_fit(module: nn.Module, state: State, source: str) -> None:
    """Raise RobenchError where tensors do not fit a module, which may be one without memory (on ``meta``)."""
    wanted = module.state_dict()
    if problem := _names_that_differ(wanted, state):
        raise RobenchError(f"the weights in {source} do not fit the model: {problem}.")
    for name, tensor in state.items():
        own = wanted[name]
        if tensor.shape != own.shape:
            raise RobenchError(
                f"the weights in {source} do not fit the model: {name} is {list(tensor.shape)}, and the model has "
                f"{list(own.shape)}."
            )
        if tensor.is_complex() or (own.is_floating_point() and not tensor.is_floating_point()):
            raise RobenchError(f"the weights in {source} do not fit the model: {name} holds {tensor.dtype}.")


def _names_that_differ(wanted: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    missing, unknown = [name for name in wanted if name not in state], [name for name in state if name not in wanted]
    parts = [f"{_some(missing)} {'is' if len(missing) == 1 else 'are'} missing"] if missing else []
    parts += [f"the model has no {_some(unknown)}"] if unknown else []
    return ", and ".join(parts)


def _some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(short(name, 80) for name in every[:SHOWN]) + more


def matched(module: nn.Module, state: State, source: str) -> State:
    """``state`` under the module's own names.

    By name, where a prefix may be before all of its names (``model.``, ``module.``, ``_orig_mod.``, ``backbone.``,
    ``net.``) or before all of the module's own; else by order, where every shape and last part of a name agrees, and a
    warning says so. Counters do not matter.

    Raises:
        RobenchError: none of these fits.
    """
    wanted = module.state_dict()
    ours = [name for name in wanted if not _counts(name)]
    best: State = {}
    for named in _renamed(state, ours):
        if len(named.keys() & set(ours)) > len(best.keys() & set(ours)):
            best = named
    counters = {name: tensor for name, tensor in wanted.items() if _counts(name)}
    best = {name: tensor for name, tensor in best.items() if name in wanted or not _counts(name)}
    if set(ours) <= best.keys() and best.keys() <= wanted.keys():
        return counters | best
    theirs = [name for name in state if not _counts(name)]
    if not best.keys() & set(ours):
        return counters | _by_order(wanted, ours, state, theirs, source)
    problem = _names_that_differ(dict.fromkeys(ours), dict.fromkeys(name for name in best if not _counts(name)))
    raise RobenchError(
        f"the weights in {source} do not fit the model: {problem} (the file holds {len(theirs)} tensors, the model "
        f"{len(ours)})."
    )


def _by_order(wanted: State, ours: list[str], state: State, theirs: list[str], source: str) -> State:
    if source.endswith(".safetensors"):  # which has its tensors in the order of their names
        raise RobenchError(
            f"the weights in {source} do not fit the model, whose names they do not share ({_some(theirs)} there, "
            f"{_some(ours)} here), and a safetensors file keeps no order to go by; give them the model's names."
        )
    for index, (own, name) in enumerate(zip(ours, theirs, strict=False)):
        if wanted[own].shape != state[name].shape or _are_other_parts(own, name):
            raise RobenchError(
                f"the weights in {source} do not fit the model, whose names they do not share: tensor {index + 1} is "
                f"{name} {list(state[name].shape)} there and {own} {list(wanted[own].shape)} here."
            )
    if len(ours) != len(theirs):
        raise RobenchError(f"{source} holds {len(theirs)} tensors, and the architecture has {len(ours)}.")
    warnings.warn(
        RobenchWarning(f"{source} and the model share no names; its tensors are taken in their order in the file"),
        stacklevel=2,
    )
    return {own: state[name] for own, name in zip(ours, theirs, strict=True)}


def _are_other_parts(own: str, other: str) -> bool:
    """Whether two names end in two parts of a layer, such as weight and bias."""
    ends = own.rpartition(".")[2], other.rpartition(".")[2]
    return ends[0] != ends[1] and all(end in PARTS for end in ends)


def _renamed(state: State, ours: list[str]) -> Iterable[State]:
    """The state under other names: as it is; without prefixes of its own; and each with one that all of ours have."""
    bare, versions = state, [state]
    while prefix := next((p for p in PREFIXES if bare and all(name.startswith(p) for name in bare)), ""):
        bare = {name.removeprefix(prefix): tensor for name, tensor in bare.items()}
        versions.append(bare)
    for version in versions:
        yield version
        for prefix in _common(ours):
            yield {f"{prefix}{name}": tensor for name, tensor in version.items()}


def _common(names: list[str]) -> list[str]:
    """What all names begin with, up to each dot."""
    if not names:
        return []
    parts = names[0].split(".")
    prefixes = [".".join(parts[:count]) + "." for count in range(1, len(parts))]
    return [prefix for prefix in prefixes if all(name.startswith(prefix) for name in names)]


def _counts(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS
