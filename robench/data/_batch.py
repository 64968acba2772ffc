"""A batch of CIFAR-10 or CIFAR-100: a pickle, of which plain values are read, and no object is ever built.

The pickle machine of Python builds whatever a file asks for; even NumPy's own types, so built, corrupt memory. Here a
file's opcodes are walked through, and a call in it is no more than a note of its name and its arguments, out of which
the one array of a batch is recognised.
"""

import pickletools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import exists
from robench.core.types import Images, Labels
from robench.data.arrays import read_arrays
from robench.data.base import Dataset
from robench.data.official import read_official

PIXELS = 3 * 32 * 32
MARK = object()
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME", "STOP")


LARGEST = 200_000_000
"""Bytes; the official batches have 31 million, and the training images of CIFAR-100 155 million."""


@dataclass(frozen=True)
class Batches:
    """One split of a data set, and the files that it may be in.

    Attributes:
        name: of the data set, as the user types it.
        title: in messages.
        folder: of the official batches.
        md5: of each official batch, by the file's name.
        arrays: .npz files that may be there instead, best first.
        key: of the labels in a batch.
        classes: names in label order.
    """

    name: str
    title: str
    folder: str
    md5: dict[str, str]
    arrays: tuple[str, ...]
    key: bytes
    classes: tuple[str, ...]


def find_batches(batches: Batches, folder: Path) -> Dataset | None:
    """The official batches in a folder, or in their own folder in it, or an .npz; None where there is none of them."""
    for place in (folder, folder / batches.folder):
        if exists(place / next(iter(batches.md5))):
            return _read_batches(batches, place)
    path = next((folder / name for name in batches.arrays if exists(folder / name)), None)
    return read_arrays(path, "test", batches.name, batches.classes) if path is not None else None


def _read_batches(batches: Batches, folder: Path) -> Dataset:
    """The official batches, or others of the same form, which are called so."""
    parts, all_official = [], True
    for name, md5 in batches.md5.items():
        content, official = read_official(folder / name, md5, LARGEST, f"{batches.title} batch")
        all_official &= official
        parts.append(read_batch(content, str(folder / name), batches))
    source = batches.folder if all_official else f"{batches.folder} (not the official files)"
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Dataset(batches.name, source, images, labels, batches.classes)


@dataclass(eq=False)
class Call:
    """What a pickle would call, with which arguments and then with which state."""

    name: Any
    arguments: Any
    state: Any = field(default=None)


def read_batch(content: bytes, name: str, batches: Batches) -> tuple[Images, Labels]:
    """Images, uint8 [N, 3, 32, 32], and labels, int64 [N], of a batch.

    Raises:
        RobenchError: it is no such batch.
    """
    try:
        batch = _plain(content)
        entries = {_bytes(key): value for key, value in batch.items()}
        images = _array(entries[b"data"]).reshape(-1, 3, 32, 32)
        return images, _labels(entries[batches.key], len(batches.classes))
    except Exception as error:  # a damaged pickle fails in any way; none of them has run anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise RobenchError(f"{name} is not an official {batches.title} batch ({reason}); download it again.") from error


def _array(call: Any) -> Images:
    """The array that a pickle would build: from NumPy's state of it, or from a buffer."""
    data = _bytes(call.state[-1] if call.state is not None else call.arguments[0])
    if len(data) % PIXELS:
        raise ValueError("its data are no images")
    return np.frombuffer(data, np.uint8)


def _labels(labels: Any, classes: int) -> Labels:
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < classes for label in labels):
        raise ValueError(f"its labels are no list of numbers from 0 to {classes - 1}")
    return np.array(labels, np.int64)


def _bytes(value: Any) -> bytes:
    """Bytes as a pickle holds them: protocol 2 has text instead, and a call that encodes it."""
    text = value.arguments[0] if isinstance(value, Call) else value
    if not isinstance(text, str | bytes):
        raise TypeError(f"{type(text).__name__} where bytes should be")
    return text.encode("latin-1") if isinstance(text, str) else text


def _plain(content: bytes) -> Any:
    """The value of a pickle, with a ``Call`` wherever it would call something."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(content):
        _step(opcode.name, argument, stack, memo)
    (value,) = stack
    return value


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """One opcode of the pickle machine (see Python's ``pickletools``)."""
    if name in IGNORED:
        return
    if name == "MARK":
        stack.append(MARK)
    elif name in CONSTANTS:
        stack.append(CONSTANTS[name])
    elif name in EMPTY:
        stack.append(EMPTY[name]())
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name.endswith("PUT"):
        memo[argument] = stack[-1]
    elif name.endswith("GET"):
        stack.append(memo[argument])
    elif name == "GLOBAL":
        stack.append(argument)
    elif not _collect(name, stack):
        if argument is None:
            raise ValueError(f"the opcode {name} has no place in it")
        # What strings of Python 2 hold, which pickletools reads as text, are bytes.
        is_bytes = name in ("STRING", "BINSTRING", "SHORT_BINSTRING")
        stack.append(argument.encode("latin-1") if is_bytes else bytes(argument) if name == "BYTEARRAY8" else argument)


def _collect(name: str, stack: list[Any]) -> bool:
    """Opcodes that take values off the stack; whether this is one."""
    if name in TUPLES:
        stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
    elif name in ("TUPLE", "LIST", "DICT"):
        values = _since_mark(stack)
        stack.append(tuple(values) if name == "TUPLE" else values if name == "LIST" else _pairs(values))
    elif name in ("APPEND", "APPENDS"):
        values = [stack.pop()] if name == "APPEND" else _since_mark(stack)
        stack[-1].extend(values)
    elif name in ("SETITEM", "SETITEMS"):
        values = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _since_mark(stack)
        stack[-1].update(_pairs(values))
    elif name in ("REDUCE", "STACK_GLOBAL"):
        arguments = stack.pop()
        stack[-1] = Call(stack[-1], arguments) if name == "REDUCE" else f"{stack[-1]} {arguments}"
    elif name == "BUILD":
        state = stack.pop()
        stack[-1].state = state
    else:
        return False
    return True


def _since_mark(stack: list[Any]) -> list[Any]:
    place = next(i for i in range(len(stack) - 1, -1, -1) if stack[i] is MARK)
    values = stack[place + 1 :]
    del stack[place:]
    return values


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))
