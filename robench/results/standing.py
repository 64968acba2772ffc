"""How far the cards of a board have been checked, and by what: ``checks.json`` beside its tables."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Interval, Len

from robench.core.errors import RobenchError
from robench.core.files import exists, file_digest, locked, read_text, write_text
from robench.core.gate import checked
from robench.core.types import Count, Line
from robench.results.cards import outcomes_path

FILE = "checks.json"
REMEASURED, WITNESSED, REPORTED = "re-measured", "confirmed by witness", "self-reported"
STATES = (REMEASURED, WITNESSED, REPORTED)
"""From the best."""


@dataclass(frozen=True)
class Check:
    """One look at a card that found nothing wrong.

    Attributes:
        card: its file's name.
        digest: of its two files, as they were then.
        state: what was done.
        measurements: how many of the card's were looked at.
        of: how many it has.
        differing: images, over all of them, of which the outcomes differed within the tolerance.
        date, robench, torch, device: when and with what.
    """

    card: Line
    digest: Line
    state: Line
    measurements: Count
    of: Count
    differing: Count
    date: Line
    robench: Line
    torch: Line
    device: Line

    def __post_init__(self) -> None:
        if self.state not in STATES[:2]:
            raise ValueError(f"state must be {' or '.join(STATES[:2])}, not {self.state!r}")


@dataclass(frozen=True)
class _File:
    schema: Annotated[int, Interval(ge=1, le=1)]
    checks: Annotated[list[Check], Len(0, 100_000)]


def digest(card: Path) -> str:
    """Of a card's two files together."""
    return f"{file_digest(card)[:32]}{file_digest(outcomes_path(card))[:32]}"


def read(board: Path) -> list[Check]:
    """The checks of a board; none where nothing was recorded.

    Raises:
        RobenchError: the file is damaged.
    """
    path = board / FILE
    return checked(_File, read_text(path), f"the record {path}").checks if exists(path) else []


def record(board: Path, check: Check) -> Path:
    """Add a check to those of a board, in place of an earlier one of the same card and kind."""
    path = board / FILE
    if not board.is_dir():
        raise RobenchError(f"there is no board {board}; name its folder with --record.")
    with locked(board):
        others = [c for c in read(board) if (c.card, c.state) != (check.card, check.state)]
        everything = sorted([*others, check], key=lambda c: (c.card, c.state))
        write_text(path, json.dumps({"schema": 1, "checks": [asdict(c) for c in everything]}, indent=1) + "\n")
    return path


def standing(card: Path, checks: Iterable[Check]) -> str:
    """The best state in which a check has found a card's files as they are now."""
    of_card = [check for check in checks if check.card == card.name]
    now = digest(card) if of_card else ""
    valid = {check.state for check in of_card if check.digest == now}
    return next((state for state in STATES if state in valid), REPORTED)
