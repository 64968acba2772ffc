"""A device that this machine does not have: tensors say that they are on it, and their values are computed on the CPU.

An operation that gets tensors of both devices fails as it would on a GPU, which takes only numbers and indices from the
CPU.
"""

from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from robench.engine import blocked, prepare

NAME = "fake"
CROSSING = ("copy_", "_to_copy", "_copy_from", "index", "index_put_", "_index_put_impl_")
"""Operations that take tensors of two devices: copies, and indices."""


class Backend:
    """What torch asks of a device; nobody shall take it for one that this machine has."""

    def is_available(self) -> bool:
        """Never."""
        return False

    def is_initialized(self) -> bool:
        """There is nothing to be done first."""
        return True

    def current_device(self) -> int:
        """The only one."""
        return 0

    def manual_seed_all(self, seed: int) -> None:
        """It draws no random numbers."""

    def _is_in_bad_fork(self) -> bool:
        return False


_setup_privateuseone_for_python_backend(NAME, Backend())


class OnFake(torch.Tensor):
    """A tensor on the device; ``raw`` holds its values."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> "OnFake":
        return torch.Tensor._make_wrapper_subclass(
            cls, raw.size(), strides=raw.stride(), dtype=raw.dtype, device=torch.device(NAME, 0)
        )

    def __init__(self, raw: torch.Tensor) -> None:
        self.raw = raw

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self) -> Any:
        """Torch refuses this to such a class."""
        return self.raw.tolist()

    def new_tensor(self, values: Any) -> torch.Tensor:
        """As ``torch.tensor`` below."""
        return torch.tensor(values, dtype=self.dtype).to(self.device)

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operation, *args, **(kwargs or {}))


def _run(operation: Any, *args: Any, **kwargs: Any) -> Any:
    name = operation.overloadpacket.__name__
    known: dict[int, OnFake] = {}

    def taken(value: Any) -> Any:
        if isinstance(value, OnFake):
            known[id(value.raw)] = value
            return value.raw
        if isinstance(value, torch.Tensor) and value.dim() and name not in CROSSING:
            raise RuntimeError(f"tensors on two devices, {NAME} and {value.device}: {operation}")
        return torch.device("cpu") if isinstance(value, torch.device) else value

    def given(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return known[id(value)] if id(value) in known else OnFake(value)

    result = operation(*tree_map(taken, args), **tree_map(taken, kwargs))
    leaves = name == "_to_copy" and str(kwargs.get("device")) == "cpu"
    return result if leaves else tree_map(given, result)


_library = torch.library.Library("_", "IMPL")
_library.fallback(_run, "PrivateUse1")  # what makes tensors there, from numbers alone


def fake_device(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The device, which robench takes for a GPU of small blocks as long as the patches last."""
    for name in ("tensor", "as_tensor"):  # torch fails when these make a tensor of such a class at once
        monkeypatch.setattr(torch, name, _by_way_of_the_cpu(getattr(torch, name)))
    monkeypatch.setitem(blocked.BLOCK, NAME, (8,))
    monkeypatch.setitem(blocked.FULL, NAME, 8)
    monkeypatch.setitem(prepare.LARGE_BLOCKS, NAME, (8,))
    return torch.device(NAME, 0)


def _by_way_of_the_cpu(make: Any) -> Any:
    def run(values: Any, *, device: Any = None, **kwargs: Any) -> torch.Tensor:
        made: torch.Tensor = make(values, **kwargs)
        return made if device is None else made.to(device)

    return run
