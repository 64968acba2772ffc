"""What a study is made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robench.core.types import ResultCard
from robench.measure.run import Run

Facts = dict[str, Any]
Figures = Iterator[tuple[str, Any]]
HOME = "cifar10"


@dataclass(frozen=True)
class Study:
    """A published work, and how it is measured again.

    Attributes:
        name: as the user types it.
        suite: the conditions, and the name of the page.
        models: of the zoo, each measured where the zoo has it for the data; the first is the twin of all.
        recipes: trained first on data for which the zoo has none of the models.
        facts: what the page needs besides measurements (the run, model name -> its folder), as plain JSON.
        page: cards in the order of ``models``, and facts -> markdown, with figures as ``{stem}-NAME.png``.
        figures: the same -> (NAME, matplotlib figure) of each figure.
        unshipped: further models, whose weights are too large for the zoo: measured where the folder of runs has them;
            elsewhere what was measured of them stays.
    """

    name: str
    suite: str
    models: tuple[str, ...]
    recipes: tuple[str, ...]
    facts: Callable[[Run, Mapping[str, Path]], Facts]
    page: Callable[[Sequence[ResultCard], Facts, str], str]
    figures: Callable[[Sequence[ResultCard], Facts], Figures]
    unshipped: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What the user types to measure it."""
        return f"robench reproduce {self.name}"

    def stem(self, dataset: str) -> str:
        """How the names of its files begin, for a data set."""
        return self.suite if dataset == HOME else f"{self.suite}.{short_name(dataset)}"


def short_name(dataset: str) -> str:
    """What files are called by: ``digits``, or the last part of a path."""
    return Path(dataset.rpartition(":")[2]).name
