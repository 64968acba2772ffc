"""What somebody looks for in a network, and the column of a board that answers it."""

from robench.core.types import Condition
from robench.site.boards import Board

BY_SCORE = {
    "noise": "a noisy camera",
    "attacks": "images under attack",
    "weights": "noisy weights",
    "memory": "a faulty memory",
}
BIT_ERRORS = "a memory, bit error rate"
CLEAN = "undisturbed use"


def purposes(board: Board) -> list[tuple[str, str]]:
    """(column to sort by, purpose in words) of a board, the scores of its parts first."""
    found = [(f"score:{part.key}", BY_SCORE.get(part.key, part.title)) for part in board.parts if part.scored]
    for part in board.parts:
        for place, group in enumerate(part.groups):
            if _is_rate(group.conditions):
                found.append((f"cell:{part.key}:{place}", f"{BIT_ERRORS} {group.level}"))
    return [*found, ("clean", CLEAN)] if board.clean else found


def _is_rate(conditions: tuple[Condition, ...]) -> bool:
    """Whether it is a plain rate of bit errors, without protection or another encoding."""
    first = conditions[0]
    return len(conditions) == 1 and first.name == "bit_error" and not first.params
