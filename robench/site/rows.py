"""All numbers of one card on a board, computed once for every page, script and export."""

from dataclasses import dataclass

from robench.core.types import ResultCard
from robench.results.scores import score, score_difference
from robench.results.stats import Estimate
from robench.results.summary import MISSING, Group, accuracy, difference, flags
from robench.site.boards import Board, Part, model_id

SOUND, FLAGGED, INCOMPLETE = "no flags", "flagged", "incomplete"


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        value: accuracy in [0, 1], or the sign that stands for it.
        gap: minus the twin's; None where there is nothing to compare with.
        flags: reasons to doubt it.
    """

    value: Estimate | str
    gap: Estimate | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Row:
    """A card with its numbers.

    Attributes:
        id: of the model in addresses.
        twin: the twin's card on the same board.
        clean: accuracy on the images as they are.
        scores: of the board's parts, by their keys.
        cells: of the groups of each part, by its key.
    """

    id: str
    card: ResultCard
    twin: ResultCard | None
    clean: Cell
    scores: dict[str, Cell]
    cells: dict[str, list[Cell]]

    @property
    def state(self) -> str:
        """Whether a number of it is missing or flagged."""
        cells = [self.clean, *(cell for part in self.cells.values() for cell in part)]
        if any(cell.value == MISSING for cell in cells):
            return INCOMPLETE
        return FLAGGED if any(cell.flags for cell in cells) else SOUND


def row_of(board: Board, card: ResultCard) -> Row:
    """The numbers of a card."""
    twin = board.twin(card)
    clean = _cell(card, twin, board.clean) if board.clean else Cell(MISSING)
    scores = {part.key: _score(card, twin, part) for part in board.parts if part.scored}
    cells = {part.key: [_cell(card, twin, group) for group in part.groups] for part in board.parts}
    return Row(model_id(card), card, twin, clean, scores, cells)


def _cell(card: ResultCard, twin: ResultCard | None, group: Group) -> Cell:
    gap = difference(card, twin, group) if twin else MISSING
    return Cell(accuracy(card, group), None if isinstance(gap, str) else gap, tuple(flags(card, group)))


def _score(card: ResultCard, twin: ResultCard | None, part: Part) -> Cell:
    gap = score_difference(card, twin, part.key) if twin else MISSING
    doubts = dict.fromkeys(flag for group in part.groups for flag in flags(card, group))
    return Cell(score(card, part.key), None if isinstance(gap, str) else gap, tuple(doubts))
