"""A table that stands by itself, with its heading and an explanation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """Its cells are plain text."""

    heading: str
    text: str
    header: list[str]
    rows: list[list[str]]
