"""Pages of studies: their markdown as HTML, in which nothing but markdown means anything."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from robench.core.files import read_text


@dataclass(frozen=True)
class StudyPage:
    """One study.

    Attributes:
        name: of its page.
        title: its first heading.
        html: its page.
    """

    name: str
    title: str
    html: str


def read_studies(folder: Path) -> list[StudyPage]:
    """The studies of a folder of markdown files; none where there is no such folder."""
    return [_page(path) for path in sorted(folder.glob("*.md"))]


def _page(path: Path) -> StudyPage:
    text = read_text(path)
    title = next((line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")), path.stem)
    return StudyPage(path.stem, title, render(text))


def render(text: str) -> str:
    """Markdown with tables as HTML; HTML in it is shown, never kept."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    return (
        reader.render(text)
        .replace("<table>", '<div class="scroll" tabindex="0"><table>')
        .replace("</table>", "</table></div>")
    )


def copy_figures(folder: Path, out: Path) -> None:
    """Copy the figures that the studies' pages show."""
    for path in sorted((folder / "figures").glob("*.png")):
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / path.name)
