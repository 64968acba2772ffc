"""The gate that the contents of every file pass: each key, type and range as a dataclass declares them."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from robench.core.errors import RobenchError
from robench.core.files import read_text, short
from robench.core.registry import did_you_mean

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

NAME = r"[A-Za-z0-9][\w.+-]{0,99}"


def checked(shape: type[T], data: Any, where: str) -> T:
    """Plain data, as TOML gives them, or the text of a JSON file, as an object of ``shape``.

    Types are strict (true is no number, "3" neither), numbers are finite, and unknown keys are errors.

    Args:
        shape: a dataclass whose annotations say what is allowed.
        data: what a file holds.
        where: what is read, for the message, such as ``the suite a.toml``.

    Raises:
        RobenchError: something does not fit: one sentence that names the key and its value, and says what is allowed.
    """
    from pydantic import ValidationError

    try:
        # Only in JSON are strict types what a file can say: a list may become a tuple, and a table an object.
        adapter: TypeAdapter[T] = _adapter(shape)  # type: ignore[arg-type]
        return adapter.validate_json(data if isinstance(data, str) else json.dumps(data))
    except ValidationError as error:
        raise RobenchError(f"{where}: {_sentence(shape, error.errors(include_url=False))}") from error
    except TypeError as error:  # dates are TOML, and stand for nothing here
        raise RobenchError(f"{where}: {error}; write text in quotes, or numbers.") from error
    except RecursionError as error:
        raise RobenchError(f"{where}: its tables are nested too deeply.") from error


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: of the file.
        what: it is, for the message, such as ``suite``.

    Raises:
        RobenchError: it cannot be read, or is not TOML.
    """
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = short(error) if isinstance(error, ValueError) else "nested too deeply"
        raise RobenchError(
            f"the {what} {path} is not TOML: {reason}. Text needs quotes, and each line one KEY = VALUE."
        ) from error


def check_name(name: str, what: str) -> str:
    """A name that becomes part of a path: letters, digits and ``. _ + -``, not first a dot or a dash.

    Raises:
        RobenchError: it is another text.
    """
    if not re.fullmatch(NAME, name, re.ASCII):
        raise RobenchError(
            f"{what} cannot be {short(repr(name), 80)}: use up to 100 letters, digits, dots, dashes and underscores, "
            "and begin with a letter or a digit."
        )
    return name


@cache
def _adapter(shape: Any) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    shape.__pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)  # type: ignore[attr-defined]
    return TypeAdapter(shape)


def _sentence(shape: type, errors: Iterable[Mapping[str, Any]]) -> str:
    """The first of pydantic's errors in words; an unknown key comes first, since a missing one may be its typo."""
    found = list(errors)
    error = next((e for e in found if e["type"] == "unexpected_keyword_argument"), found[0])
    place = _place(error)
    key = _key(place)
    if error["type"] == "json_invalid":
        return f"this is not JSON: {error['ctx']['error']}."
    if error["type"] == "unexpected_keyword_argument":
        known = list(getattr(shape, "__dataclass_fields__", {})) if len(place) == 1 else []
        return f"there is no key {key!r}; {did_you_mean(str(place[-1]), known) if known else 'leave it out.'}"
    if error["type"] in ("missing", "missing_argument"):
        return f"missing key {key!r}."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    wanted = dict.fromkeys(_wanted(e["msg"]) for e in found if _place(e) == place)
    return (
        f"{key or 'this'} must {' or '.join(wanted).replace(' or be ', ' or ')}, not {short(repr(error['input']), 60)}."
    )


PLAIN = {
    "a valid string": "text in quotes",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid array": "a list",
    "an object": "a table",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}
"""What pydantic calls something -> what a person who writes TOML or JSON calls it."""
UNION = ("int", "float", "str", "bool", "none")
"""What pydantic adds to the place of a value that may be of several types."""


def _wanted(message: str) -> str:
    """Pydantic's ``Input should be a valid integer`` as ``be a whole number``."""
    words = re.sub(r"^\w+ should |,? after validation.*", "", message)
    for technical, plain in PLAIN.items():
        words = words.replace(technical, plain)
    return words


def _place(error: Mapping[str, Any]) -> tuple[int | str, ...]:
    place: tuple[int | str, ...] = error["loc"]
    return place[:-1] if place and place[-1] in UNION else place


def _key(place: Iterable[int | str]) -> str:
    """Such as ``conditions[2].draws``; lists count from 1, as people do."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
