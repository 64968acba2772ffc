"""``--option NAME=VALUE``: arguments of architectures and factories."""

from collections.abc import Sequence
from math import isfinite

from robench.core.errors import RobenchError
from robench.core.types import Value

WORDS: dict[str, Value] = {"true": True, "false": False}


def parse_options(texts: Sequence[str]) -> dict[str, Value]:
    """Several of them.

    Raises:
        RobenchError: one is of another form, or a name is there twice.
    """
    pairs = list(map(parse_option, texts))
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name in found if [name for name, _ in pairs].count(name) > 1)
        raise RobenchError(f"--option {twice} is there twice; it goes to every model, so evaluate them one by one.")
    return found


def parse_option(text: str) -> tuple[str, Value]:
    """``width=0.25`` -> ("width", 0.25): a whole number, a number, true or false, else text.

    Raises:
        RobenchError: it is not of this form, or a number that no option has.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier() or not value:
        raise RobenchError(f"--option takes NAME=VALUE, such as width=0.25, not {text!r}.")
    if value.lower() in WORDS:
        return name, WORDS[value.lower()]
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if not isfinite(number):
            raise RobenchError(f"--option {name} must be a finite number, not {value}.")
        return name, number
    return name, value
