"""From a folder of cards to a folder that is the site."""

import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.files import write_text
from robench.results.leaderboard import of_one_version
from robench.site import exports, payload
from robench.site.boards import Board, boards_of
from robench.site.pages import Pages, Shown
from robench.site.rows import Row, row_of
from robench.site.studies import copy_figures, read_studies

Done = Callable[[int, int], None]
"""Called with (cards done, cards in all)."""


def write_site(folder: Path, out: Path, studies: Path, tell: Callable[[str], None], done: Done) -> Path:
    """Write the site of the cards in ``folder``; gives its first page.

    Args:
        folder: of the cards; one without any gives a site that says so.
        out: where the site goes; files of the same names are replaced, others are left.
        studies: folder of the studies' pages; there need not be one.
        tell: hears of each card and suite that is left out, and why.
        done: hears of the progress.

    Raises:
        RobenchError: there is no such folder.
    """
    if not folder.is_dir():
        raise RobenchError(
            f"there is no folder {folder} of result cards; name a board with --board, or the folder with --cards."
        )
    shown = _computed(boards_of(of_one_version(folder, tell)), done)
    found = read_studies(studies)
    pages = Pages(shown, found, version("robench"))
    for name in ("data", "models", "studies"):
        (out / name).mkdir(parents=True, exist_ok=True)
    write_text(out / ".nojekyll", "")  # GitHub's pages would leave out files that begin with an underscore
    with as_file(files("robench.site") / "static") as static:
        shutil.copytree(static, out / "static", dirs_exist_ok=True)
    for each in shown:
        _write_board(each, out / "data")
    for model, rows in _by_model(shown).items():
        write_text(out / "models" / f"{model}.html", pages.model(rows))
        records = [record for board, row in rows for record in exports.records(board, [row])]
        _write_records(records, out / "models" / model)
    for study in found:
        write_text(out / "studies" / f"{study.name}.html", pages.study(study))
    copy_figures(studies, out / "studies" / "figures")
    for name, text in pages.top().items():
        write_text(out / name, text)
    return out / "index.html"


def _computed(boards: Sequence[Board], done: Done) -> list[Shown]:
    total, finished = sum(len(board.cards) for board in boards), 0
    shown = []
    for board in boards:
        rows = []
        for card in board.cards:
            rows.append(row_of(board, card))
            finished += 1
            done(finished, total)
        shown.append(Shown(board, rows))
    return shown


def _write_board(shown: Shown, out: Path) -> None:
    board, rows = shown.board, shown.rows
    scripts = {board.id: payload.board(board, rows), f"{board.id}.curves": payload.curves(board, board.cards)}
    scripts |= {f"{row.id}.{board.suite.name}": payload.outcomes(row.card) for row in rows}
    for key, value in scripts.items():
        write_text(out / f"{key}.js", payload.script(key, value))
    _write_records(exports.records(board, rows), out / board.id)


def _write_records(records: list[dict], path: Path) -> None:
    write_text(path.with_name(f"{path.name}.json"), exports.as_json(records))
    write_text(path.with_name(f"{path.name}.csv"), exports.as_csv(records))


def _by_model(shown: Sequence[Shown]) -> dict[str, list[tuple[Board, Row]]]:
    found: dict[str, list[tuple[Board, Row]]] = {}
    for each in shown:
        for row in each.rows:
            found.setdefault(row.id, []).append((each.board, row))
    return found
