"""BibTeX of robench, and of the papers that a model's card and a suite's conditions name."""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from robench.core.kinds import kind_of
from robench.core.types import Condition, ModelCard

IDENTIFIER = re.compile(r"(?:arXiv:\s?|doi:\s?)(\d{4}\.\d{4,5}|10\.\d{4,}/[^\s,;)\"]+)", re.IGNORECASE)
"""An arXiv number or a DOI, as cards and docstrings name papers."""
SOFTWARE = """\
@software{{robench,
  title = {{{{robench}}: A Robustness Benchmark Suite for Low-Bit Neural Networks}},
  author = {{{{The robench authors}}}},
  version = {{{version}}},
  year = {{2026}}
}}"""


def software() -> str:
    """The entry of robench itself, in the version that is installed."""
    return SOFTWARE.format(version=version("robench"))


def identifiers(text: str) -> list[str]:
    """The arXiv numbers and DOIs that a text names, each once."""
    return list(dict.fromkeys(found.rstrip(".") for found in IDENTIFIER.findall(text)))


def of_model(card: ModelCard) -> list[str]:
    """What a model's card names: papers, and the name of its data set."""
    return [*identifiers(card.paper), *([card.dataset] if card.dataset else [])]


def of_conditions(conditions: Iterable[Condition]) -> list[str]:
    """The papers that the plug-ins of conditions name: in their own words, their file's and their package's."""
    return list(dict.fromkeys(name for condition in conditions for name in identifiers(_words(condition))))


def entries(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The entries of papers and data sets by what they are named with, each once; and the names without an entry."""
    known, found, unknown = _references(), [], []
    for name in dict.fromkeys(names):
        if name in known:
            found.append(known[name])
        else:
            unknown.append(name)
    return list(dict.fromkeys(found)), unknown


@cache
def _references() -> dict[str, str]:
    """Entry by arXiv number, DOI and keyword."""
    text = (files("robench.results") / "references.bib").read_text(encoding="utf-8")
    return {name: entry for entry in re.split(r"\n\n+", text.strip()) for name in _names(entry)}


def _names(entry: str) -> Iterator[str]:
    for field in ("eprint", "doi", "keywords"):
        yield from re.findall(rf"^  {field} = {{([^}}]*)}}", entry, re.MULTILINE)


def _words(condition: Condition) -> str:
    """What is written about the plug-in of a condition."""
    plugin = kind_of(condition).plugin(condition)
    module = getattr(plugin, "__module__", None) or ""
    homes = (sys.modules.get(name) for name in (module, module.rpartition(".")[0]))
    return "\n".join(thing.__doc__ or "" for thing in (plugin, *homes) if thing is not None)
