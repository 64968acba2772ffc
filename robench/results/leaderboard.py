"""From a folder of cards to one markdown file a suite, and whether the files are up to date."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.files import read_text, write_text
from robench.core.types import ResultCard, Suite
from robench.results import cards, memory, standing
from robench.results.figures import board_figure, draw
from robench.results.markdown import by_images, leaderboard

Tell = Callable[[str], None]


def _refuse(reason: str) -> None:
    raise RobenchError(reason)


def _by_suite(folder: Path, tell: Tell) -> dict[str, list[ResultCard]]:
    """The cards of a folder by the name of their suite; ``tell`` hears of those that cannot be read."""
    found: dict[str, list[ResultCard]] = {}
    checks = standing.read(folder.parent)
    for path in sorted(folder.glob("*.json")):
        try:
            card = cards.read(path)
        except RobenchError as error:
            tell(str(error))
        else:
            known = replace(card, standing=standing.standing(path, checks))
            found.setdefault(card.suite.name, []).append(known)
    return found


def _boards(folder: Path, tell: Tell) -> dict[str, list[ResultCard]]:
    """Name of a board -> its cards, for every suite that has cards in ``folder``; arguments as for ``render``."""
    if not any(folder.glob("*.json")):
        raise RobenchError(f"there are no result cards in {folder}; make some with: robench evaluate --publish BOARD.")
    return of_one_version(folder, tell)


def of_one_version(folder: Path, tell: Tell = _refuse) -> dict[str, list[ResultCard]]:
    """Name of a suite -> its cards, without suites of which there are several versions; arguments as for ``render``."""
    boards = {}
    for name, found in _by_suite(folder, tell).items():
        if len({card.suite for card in found}) > 1:
            tell(f"the cards of {name} in {folder} are of different versions; measure the older again.")
        else:
            boards[name] = found
    return boards


def render(folder: Path, tell: Tell = _refuse) -> dict[str, str]:
    """File name -> contents, for every suite that has cards in ``folder``.

    Args:
        folder: of the cards.
        tell: hears of each card and suite that is left out, and why; unless it is given, the first ends it.

    Raises:
        RobenchError: there are no cards, or one would be left out and nobody is told.
    """
    boards = _boards(folder, tell)
    return {f"{name}.md": _page(name, boards) for name in boards}


def _page(name: str, boards: Mapping[str, list[ResultCard]]) -> str:
    others = [card for other, found in boards.items() if other != name for card in found]
    return leaderboard(boards[name], others)


def write(folder: Path, out: Path, tell: Tell = _refuse) -> list[Path]:
    """Write the leaderboards of the cards in ``folder``, and their figures, to ``out``; arguments as for ``render``."""
    written = []
    boards = _boards(folder, tell)
    for name, found in boards.items():
        out.mkdir(parents=True, exist_ok=True)
        written.append(out / f"{name}.md")
        write_text(written[-1], _page(name, boards))
        if memory.has_curves(found[0].suite):
            for chosen in by_images(found).values():
                written += draw(chosen, out / "figures", board_figure(chosen[0]))
    return written


def stale(folder: Path, out: Path, tell: Tell = _refuse) -> list[str]:
    """The names of the files in ``out`` that are not what the cards give; arguments as for ``render``."""
    boards = render(folder, tell)
    return [name for name, text in boards.items() if not (out / name).is_file() or read_text(out / name) != text]


def check_room(folder: Path, suite: Suite) -> None:
    """Raise RobenchError where cards of a suite could not stand beside those that are in ``folder``."""
    others = _by_suite(folder, lambda told: None).get(suite.name, [])
    if any(card.suite != suite for card in others):
        raise RobenchError(
            f"the cards in {folder} are of another suite named {suite.name}; give yours another name, or measure "
            "theirs again."
        )
