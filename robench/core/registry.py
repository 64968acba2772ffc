"""A name -> a thing, for every kind of thing that others can add."""

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Generic, TypeVar

from robench.core.errors import RobenchError, RobenchWarning, foreign_code

T = TypeVar("T")
MOST_NAMES = 50
"""Of a list of names in an error message."""


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of an error message: the nearest known names, or else all of them, or as many as a message can hold."""
    lower = {text.lower(): text for text in known}  # upper and lower case are what is mistyped most
    near = get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(lower[text] for text in near)}?"
    rest = len(known) - MOST_NAMES
    return f"known: {', '.join(sorted(known)[:MOST_NAMES])}{f', and {rest:,} more' if rest > 0 else ''}."


class Registry(Generic[T]):
    """The registered things of one package, found on first use: its own files, then other packages' entry points.

    Args:
        kind: what one entry is called in messages, such as ``"corruption"``.
        package: its modules register things on import, such as ``"robench.corruptions"``. Other packages announce
            modules of theirs in the entry-point group of that name.
        each: instead of the package's own modules, the module of this name in each of its subpackages that has one;
            the entry-point group is ``<package>.<each>``.
    """

    def __init__(self, kind: str, package: str, each: str = "") -> None:
        self.kind = kind
        self.package = package
        self.each = each
        self._entries: dict[str, T] = {}
        self._left_out: list[str] = []
        self._loaded = False

    def add(self, name: str, entry: T) -> T:
        """Register ``entry`` under ``name``; a second thing under one name is an error."""
        if name in self._entries:
            raise RobenchError(f"a {self.kind} named {name!r} is registered already; choose another name.")
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator form of :meth:`add`."""
        return lambda entry: self.add(name, entry)

    @contextmanager
    def temporarily(self, name: str, entry: T) -> Iterator[T]:
        """``entry`` under ``name`` as long as the block lasts, in place of what may be there."""
        self._load()
        before = dict(self._entries)
        self._entries[name] = entry
        try:
            yield entry
        finally:
            self._entries = before

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.package)
        for module in self._modules(package.__path__):
            importlib.import_module(f"{self.package}.{module}")
        for plugin in entry_points(group=f"{self.package}.{self.each}".rstrip(".")):
            try:
                with foreign_code(f"the plug-in {plugin.name} ({plugin.value}), which is left out,"):
                    plugin.load()
            except RobenchError as error:  # somebody else's, and no reason to stop whoever does not need it
                self._left_out.append(str(error))
                warnings.warn(str(error), RobenchWarning, stacklevel=2)

    def _modules(self, path: Iterable[str]) -> list[str]:
        if not self.each:
            return [module.name for module in pkgutil.iter_modules(path)]
        # Looked for as files: asking the import system would import every subpackage, also heavy ones without it.
        found = [file for folder in path for file in Path(folder).glob(f"*/{self.each}.py")]
        return sorted(f"{file.parent.name}.{self.each}" for file in found)

    def __getitem__(self, name: str) -> T:
        self._load()
        if name not in self._entries:
            left_out = "".join(f" ({text})" for text in self._left_out)
            raise RobenchError(f"no {self.kind} is named {name!r}; {did_you_mean(name, list(self._entries))}{left_out}")
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)
