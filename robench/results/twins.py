"""Finding the card that a card is compared with."""

from collections.abc import Iterable
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.files import file_name
from robench.core.types import ResultCard
from robench.results import cards


def among(card: ResultCard, others: Iterable[ResultCard]) -> ResultCard | None:
    """The twin of a card, of the same images under the same suite, or None."""
    return next((other for other in others if is_twin(card, other)), None)


def beside(card: ResultCard, folder: Path) -> ResultCard | None:
    """The twin of a card in a folder of cards, or None; cards that cannot be read are passed over."""
    if not card.twin[0]:
        return None
    start = f"{file_name(card.twin[0])}."
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith(start):
            try:
                found = cards.read(path)
            except RobenchError:
                continue
            if is_twin(card, found):
                return found
    return None


def is_twin(card: ResultCard, other: ResultCard) -> bool:
    """Whether a card names the other as its twin, and the two can be compared."""
    return (other.model.name, other.model.sha256) == card.twin and (other.data, other.suite) == (card.data, card.suite)
