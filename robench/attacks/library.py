"""Attacks that other libraries bring, by name: which there are, what they take, and which are refused and why."""

import inspect
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from robench.core.errors import RobenchError
from robench.core.optional import import_optional
from robench.core.registry import did_you_mean
from robench.core.types import Value

SET_BY_ROBENCH = ("self", "model", "norm", "p", "eps", "epsilon", "distance", "targeted", "callback")
"""Parameters that follow from the condition, and cannot be given beside it."""
GREEK = "GREEK SMALL LETTER "
LARGEST = 10**6


@dataclass(frozen=True)
class Library:
    """A package of attacks.

    Attributes:
        name: as attacks of it begin, such as ``foolbox`` in ``foolbox:L2DeepFoolAttack``.
        module: where its attacks are, such as ``foolbox.attacks``.
        package: as the package index knows it.
        install: the line that installs it.
        refused: attack that robench does not run -> why.
    """

    name: str
    module: str
    package: str
    install: str
    refused: Mapping[str, str]

    def version(self) -> str:
        """Such as ``foolbox 3.3.4``: other versions may find other perturbations."""
        try:
            return f"{self.package} {version(self.package)}"
        except PackageNotFoundError:
            return self.package

    def find(self, attack: str, known: Mapping[str, object]) -> Callable[..., Any]:
        """The library's own class or function of this name.

        Args:
            attack: its name.
            known: those that robench runs.

        Raises:
            RobenchError: the library is not installed, has no such attack, or robench refuses it.
        """
        if attack in self.refused:
            raise RobenchError(f"{self.name}:{attack} is not run: {self.refused[attack]}.")
        if attack not in known:
            raise RobenchError(f"{self.name} has no attack {attack!r}; {did_you_mean(attack, list(known))}")
        found = getattr(import_optional(self.module, self.install), attack, None)
        if found is None:
            raise RobenchError(f"{self.version()} has no attack {attack!r} yet; upgrade it: {self.install}")
        return found

    def parameters(self, attack: Callable[..., Any]) -> dict[str, Value | None]:
        """What may be set of an attack, with the defaults; Greek letters are spelled out."""
        known = inspect.signature(attack).parameters.values()
        plain = [p for p in known if p.name not in SET_BY_ROBENCH and isinstance(p.default, Value | None)]
        return {spelled_out(p.name): p.default for p in plain}


def spelled_out(name: str) -> str:
    """A name with its Greek letters in words, such as ``gamma_init``."""
    letters = ((letter, unicodedata.name(letter, "")) for letter in name)
    return "".join(full.removeprefix(GREEK).lower() if full.startswith(GREEK) else letter for letter, full in letters)


def arguments(attack: Callable[..., Any], *sources: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for an attack, from those in ``sources`` that it takes; later sources win."""
    names = {spelled_out(name): name for name in inspect.signature(attack).parameters}
    given = {spelled_out(key): value for source in sources for key, value in source.items()}
    return {names[key]: value for key, value in given.items() if key in names}


def problem(value: Value, default: Value | None) -> str:
    """What a parameter of a library's must be, judged by its default; "" where it is that."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text in quotes"
    if isinstance(default, int | float) or not isinstance(value, str | bool):
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else LARGEST + 1
        return "" if abs(number) <= LARGEST else f"a number, and at most {LARGEST:,}"
    return ""
