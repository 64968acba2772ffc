"""Which code a plug-in or a model is made of: a digest of what would run."""

import hashlib
import inspect
import sysconfig
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

PLAIN = (int, float, complex, str, bytes, bool, type(None))
LEFT_OUT = ("__doc__", "__dict__", "__weakref__", "__module__", "__firstlineno__", "_backward_cls")
"""Names in a class that say nothing of what it does; torch counts functions in the class of their backward."""
CODE = (CodeType, FunctionType, MethodType)
LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))


def code_digest(*things: object) -> str:
    """sha256 of the code of functions and classes, and of whatever else is written in their modules.

    It is taken from what the interpreter holds (compiled code, plain constants, defaults, closures), not from files: a
    file that was edited after its import has not changed what runs. Code that these modules import counts too where it
    lies outside of robench and of installed packages.
    """
    digest, seen = hashlib.sha256(), dict[int, object]()
    for thing in things:
        for part in _parts(thing, seen):
            digest.update(part.encode())
    return digest.hexdigest()


def _parts(thing: Any, seen: dict[int, object]) -> Iterator[str]:
    """Text that differs where two things would do something else."""
    if isinstance(thing, PLAIN):
        yield f"{type(thing).__name__} {thing!r}"
    elif id(thing) not in seen:
        seen[id(thing)] = thing  # kept alive, or its number could become another thing's
        yield from _code(thing, seen) if isinstance(thing, CODE) or inspect.isclass(thing) else _data(thing, seen)


def _data(thing: Any, seen: dict[int, object]) -> Iterator[str]:
    if isinstance(thing, list | tuple | dict):
        yield type(thing).__name__
        for item in thing.items() if isinstance(thing, dict) else thing:
            yield from _parts(item, seen)
    elif isinstance(thing, set | frozenset):
        yield f"set {sorted(map(repr, thing))}"
    elif hasattr(thing, "__wrapped__"):
        yield from _parts(thing.__wrapped__, seen)
    elif _is_array(thing):
        array = thing if isinstance(thing, np.ndarray) else _of_tensor(thing)
        yield f"array {array.dtype} {array.shape} {array.tobytes().hex()}"


def _code(thing: Any, seen: dict[int, object]) -> Iterator[str]:
    if isinstance(thing, CodeType):
        yield f"code {thing.co_code.hex()} {thing.co_names} {thing.co_varnames}"
        for constant in thing.co_consts:
            yield from _parts(constant, seen)
    elif isinstance(thing, MethodType):
        yield from _parts(thing.__func__, seen)
        owner = thing.__self__
        yield from _parts(owner if inspect.isclass(owner) else type(owner), seen)
    elif isinstance(thing, FunctionType):
        yield from _function(thing, seen)
    else:
        yield from _members(vars(thing), seen)
        for method in filter(inspect.isfunction, vars(thing).values()):
            yield from _module(method, seen)


def _function(function: FunctionType, seen: dict[int, object]) -> Iterator[str]:
    yield from _parts(function.__code__, seen)
    yield from _parts(function.__defaults__, seen)
    yield from _parts(function.__kwdefaults__, seen)
    for cell in function.__closure__ or ():
        try:
            yield from _parts(cell.cell_contents, seen)
        except ValueError:  # a cell that is not filled yet
            continue
    yield from _module(function, seen)
    if hasattr(function, "__wrapped__"):
        yield from _parts(function.__wrapped__, seen)


def _module(function: FunctionType, seen: dict[int, object]) -> Iterator[str]:
    """What stands beside a function in its module."""
    namespace = function.__globals__
    if id(namespace) in seen:
        return
    seen[id(namespace)] = namespace
    own = namespace.get("__name__", "")
    # A script of the user's, or a notebook, has counters of its loops beside what its functions use.
    script = own == "__main__"
    used = {name for value in namespace.values() for name in _names(value, own)} if script else set()
    chosen = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("__")
        and (
            (_is_plain(value) and (name in used or not script))
            or getattr(value, "__module__", None) == own
            or _is_local(value)
        )
    }
    yield from _members(chosen, seen)


def _names(thing: Any, module: str) -> Iterator[str]:
    """The names that a function, or the methods of a class, of a module look up."""
    if getattr(thing, "__module__", None) != module:
        return
    if inspect.isclass(thing):
        methods = (getattr(member, "__func__", member) for member in vars(thing).values())
        for method in filter(inspect.isfunction, methods):
            yield from _names(method, module)
    elif isinstance(thing, FunctionType):
        codes = [thing.__code__]
        while codes:
            code = codes.pop()
            yield from code.co_names
            codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _members(members: Any, seen: dict[int, object]) -> Iterator[str]:
    for name in sorted(members):
        if name not in LEFT_OUT:
            yield str(name)
            value = members[name]
            yield from _parts(value.__func__ if isinstance(value, classmethod | staticmethod) else value, seen)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return isinstance(value, PLAIN) or _is_array(value)


def _is_array(value: object) -> bool:
    """Whether it is a NumPy array, or a tensor of torch's, which this module does not import."""
    return isinstance(value, np.ndarray) or (
        type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "numpy")
    )


def _of_tensor(tensor: Any) -> np.ndarray[Any, Any]:
    """The numbers of a tensor of torch's, which may be in training, elsewhere, or of a type that NumPy lacks."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    tensor = tensor.dequantize() if tensor.is_quantized else tensor.to_dense()
    try:
        return np.asarray(tensor)
    except TypeError:  # bfloat16 and the 8-bit floats
        return np.asarray(tensor.float())


def _is_local(thing: object) -> bool:
    """Whether a function or class is written in a file that belongs neither to robench nor to an installed package."""
    if not inspect.isfunction(thing) and not inspect.isclass(thing):
        return False
    module = inspect.getmodule(thing)
    file = getattr(module, "__file__", None)
    return bool(file) and module.__name__.partition(".")[0] != "robench" and not str(file).startswith(LIBRARIES)  # type: ignore[union-attr]
