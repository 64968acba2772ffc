"""From a folder of cards to one markdown file a suite, and whether the files are up to date."""

from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.types import ResultCard
from robench.results import cards
from robench.results.markdown import leaderboard


def render(folder: Path) -> dict[str, str]:
    """File name -> contents, for every suite that has cards in ``folder``.

    Raises:
        RobenchError: there are no cards, a card is damaged, or two cards of a suite are of different versions.
    """
    by_suite: dict[str, list[ResultCard]] = {}
    for path in sorted(folder.glob("*.json")):
        card = cards.read(path)
        by_suite.setdefault(card.suite.name, []).append(card)
    if not by_suite:
        raise RobenchError(f"there are no result cards in {folder}; make some with: robench evaluate --publish.")
    for name, found in by_suite.items():
        if len({card.suite for card in found}) > 1:
            raise RobenchError(f"the cards of {name} in {folder} are of different versions; measure the older again.")
    return {f"{name}.md": leaderboard(found) for name, found in by_suite.items()}


def write(folder: Path, out: Path) -> list[Path]:
    """Write the leaderboards of the cards in ``folder`` to ``out``."""
    written = []
    for name, text in render(folder).items():
        out.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
        written.append(out / name)
    return written


def stale(folder: Path, out: Path) -> list[str]:
    """The names of the files in ``out`` that are not what the cards give."""
    return [
        name for name, text in render(folder).items() if not (out / name).is_file() or (out / name).read_text() != text
    ]
