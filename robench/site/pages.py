"""The pages of the site. Whatever a card says goes through templates that escape it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from robench.core.types import ResultCard
from robench.results.stats import Estimate
from robench.results.summary import VARIANTS, Group, percent
from robench.results.words import answer
from robench.site import exports, payload
from robench.site.boards import Board, Part, date, model_id
from robench.site.purposes import purposes
from robench.site.rows import Cell, Row
from robench.site.studies import StudyPage


@dataclass(frozen=True, eq=False)
class Shown:
    """A board with the numbers of its cards."""

    board: Board
    rows: list[Row]


def environment() -> Environment:
    """Templates that escape every value, and fail on a name that they do not know."""
    found = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=PackageLoader("robench.site"),
    )
    found.filters |= {"percent": _percent, "points": _points, "day": date, "size": _size, "again": exports.again}
    found.globals |= {
        "variants": VARIANTS,
        "model_id": model_id,
        "tiles": _tiles,
        "part_rows": _part_rows,
        "answer": answer,
        "clean_rows": _clean_rows,
    }
    return found


def _tiles(board: Board, row: Row) -> list[tuple[str, Cell]]:
    return [(part.title, row.scores[part.key]) for part in board.parts if part.scored]


def _part_rows(part: Part, row: Row) -> list[tuple[Group, Cell]]:
    return list(zip(part.groups, row.cells[part.key], strict=True))


def _clean_rows(board: Board, row: Row, part: Part) -> list[tuple[Group, Cell]]:
    """The row of the images as they are, in the table of its section."""
    return [(board.clean, row.clean)] if board.clean and board.clean.section == part.title else []


def _percent(value: Estimate | str) -> str:
    return percent(value)


def _points(value: Estimate | None) -> str:
    return percent(value, signed=True).replace("-", "\N{MINUS SIGN}") if value else ""


def _size(size: int) -> str:
    return f"{size / 1000:,.0f} kB" if size < 10_000_000 else f"{size / 1e6:,.1f} MB"


class Pages:
    """Renders pages that share the list of boards."""

    def __init__(self, shown: Sequence[Shown], studies: Sequence[StudyPage], version: str) -> None:
        self.shown, self.studies, self.version = shown, studies, version
        self._templates = environment()
        self._boards = [payload.summary(each.board) | {"purposes": purposes(each.board)} for each in shown]

    def top(self) -> dict[str, str]:
        """File name -> text of the pages at the top."""
        models: dict[str, ResultCard] = {row.id: row.card for each in self.shown for row in each.rows}
        names = ("index", "curves", "pareto", "compare", "methods", "studies")
        return {
            f"{name}.html": self._render(name, "", models=models, studies=self.studies, boards=self.shown)
            for name in names
        }

    def study(self, page: StudyPage) -> str:
        """The page of a study."""
        return self._render("study", "../", study=page, body=Markup(page.html))  # noqa: S704 (escaped by markdown-it)

    def model(self, found: Sequence[tuple[Board, Row]]) -> str:
        """The page of a model under the suites that it was measured under."""
        return self._render("model", "../", card=found[0][1].card, found=found)

    def _render(self, name: str, root: str, **values: Any) -> str:
        template = self._templates.get_template(f"{name}.html")
        return template.render(root=root, page=name, site={"boards": self._boards}, version=self.version, **values)
