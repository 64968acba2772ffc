"""What several studies take from a card."""

from collections.abc import Sequence

from robench.core.types import Condition, ResultCard
from robench.results.stats import Estimate
from robench.results.summary import accuracy, together


def error(card: ResultCard, condition: Condition) -> Estimate | str:
    """Test error, 1 - accuracy, with its interval; or the sign that stands for it in a table."""
    found = accuracy(card, together(condition))
    return Estimate(1 - found.value, 1 - found.high, 1 - found.low) if isinstance(found, Estimate) else found


def named(cards: Sequence[ResultCard]) -> dict[str, ResultCard]:
    """Cards by the model's name."""
    return {card.model.name: card for card in cards}
