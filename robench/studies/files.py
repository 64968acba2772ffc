"""A study on disk: cards, facts, page and figures."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robench import suites
from robench.core.errors import RobenchError
from robench.core.files import read_text, write_text
from robench.core.types import ResultCard
from robench.results import cards
from robench.results.drawing import save
from robench.studies.study import Facts, Study, short_name


@dataclass(frozen=True)
class Files:
    """The files of one study on one data set, in one folder."""

    study: Study
    dataset: str
    folder: Path

    @property
    def cards(self) -> Path:
        """Where its cards are."""
        return self.folder / "cards"

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / f"{self.study.stem(self.dataset)}.md"

    @property
    def _facts(self) -> Path:
        return self.page.with_suffix(".json")

    def keep(self, found: list[ResultCard], facts: Facts) -> None:
        """Write what was measured; what is known of unshipped models that were not measured now stays."""
        for card in found:
            cards.write(card, self.cards)
        measured = {card.model.name for card in found}
        missing = [name for name in self.study.unshipped if name not in measured]
        known = [self._card_name(card) for card in self._known(missing)]
        names = [self._card_name(card) for card in found] + known
        write_text(self._facts, json.dumps({"cards": names, **facts}, indent=1) + "\n")

    def _card_name(self, card: ResultCard) -> str:
        return cards.card_path(card, self.cards).name

    def _known(self, names: Sequence[str]) -> Iterator[ResultCard]:
        """The cards of these models that are there, of the suite's present version."""
        version = suites.load(self.study.suite).version
        for name in names:
            path = self.cards / f"{name}.{short_name(self.dataset)}.{self.study.suite}.json"
            if path.is_file() and (card := cards.read(path)).suite.version == version:
                yield card

    def render(self) -> list[Path]:
        """Write the page and the figures from what was kept."""
        found, facts = self._kept()
        write_text(self.page, self._text(found, facts))
        stem = self.study.stem(self.dataset)
        drawn: list[Path] = []
        for name, figure in self.study.figures(found, facts):
            drawn += save(figure, self.folder / "figures", f"{stem}-{name}")
        return [self.page, *drawn]

    def check(self) -> None:
        """Raise RobenchError where the page is not what was kept gives."""
        text = self._text(*self._kept())
        if not self.page.is_file() or read_text(self.page) != text:
            raise RobenchError(f"{self.page} differs from its cards; run: {self.study.command}")

    def _text(self, found: list[ResultCard], facts: Facts) -> str:
        return self.study.page(found, facts, f"figures/{self.study.stem(self.dataset)}")

    def _kept(self) -> tuple[list[ResultCard], Facts]:
        try:
            facts: dict[str, Any] = json.loads(read_text(self._facts))
            found: list[ResultCard] = [cards.read(self.cards / name) for name in facts["cards"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RobenchError(
                f"{self._facts} is missing or damaged ({error}); run {self.study.command} without --check."
            ) from error
        version = suites.load(self.study.suite).version
        if any(card.suite.version != version for card in found):
            raise RobenchError(
                f"the cards that {self._facts} names are of another version of {self.study.suite} than {version}; run: "
                f"{self.study.command}"
            )
        return found, facts
