"""What several studies take from a card."""

from collections.abc import Iterator, Sequence

from robench.core.types import Condition, ResultCard
from robench.results.stats import Estimate
from robench.results.summary import VARIANTS, accuracy, together


def error(card: ResultCard, condition: Condition) -> Estimate | str:
    """Test error, 1 - accuracy, with its interval; or the sign that stands for it in a table."""
    found = accuracy(card, together(condition))
    return Estimate(1 - found.value, 1 - found.high, 1 - found.low) if isinstance(found, Estimate) else found


def named(cards: Sequence[ResultCard]) -> dict[str, ResultCard]:
    """Cards by the model's name."""
    return {card.model.name: card for card in cards}


def variants(cards: Sequence[ResultCard]) -> Iterator[str]:
    """A sentence where networks are quantized otherwise than in the paper that they are called after."""
    names = [card.model.name for card in cards if card.model.quantizer in VARIANTS]
    rules = {VARIANTS[card.model.quantizer] for card in cards if card.model.quantizer in VARIANTS}
    if names:
        yield f"Variants, whose claims are about the variant: {', '.join(names)} ({'; '.join(sorted(rules))}).\n"
