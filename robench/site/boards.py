"""What the site shows: the cards of one suite on the same images, with addresses that stay."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Condition, DataCard, ResultCard, Suite
from robench.results.markdown import by_images
from robench.results.scores import parts
from robench.results.summary import Group, groups

LONGEST = 40
"""Signs of a name in an address; a digest stands for the rest."""


@dataclass(frozen=True)
class Part:
    """A section of a suite's tables, which the site folds and scores.

    Attributes:
        key: of the part in addresses: the name of its score where it has one.
        title: of the section.
        groups: its rows.
        scored: the conditions that its score is over; empty where it has none.
    """

    key: str
    title: str
    groups: tuple[Group, ...]
    scored: tuple[Condition, ...]

    @property
    def outcome(self) -> str:
        """Which outcome of an image counts in it."""
        return self.groups[0].outcome


@dataclass(frozen=True, eq=False)
class Board:
    """Cards of one suite and the same images, twins first."""

    cards: tuple[ResultCard, ...]

    @property
    def suite(self) -> Suite:
        """Of all cards."""
        return self.cards[0].suite

    @property
    def data(self) -> DataCard:
        """The images of all cards."""
        return self.cards[0].data

    @property
    def id(self) -> str:
        """Its name in addresses."""
        return f"{self.suite.name}.{images_id(self.data)}"

    @property
    def newest(self) -> str:
        """The date of the newest card; empty where no card has one."""
        return max(date(card) for card in self.cards)

    @cached_property
    def parts(self) -> list[Part]:
        """Sections of the suite, in its order; the clean condition counts in no score."""
        rows = [group for group in groups(self.suite) if group.conditions != (CLEAN,)]
        scores, found = parts(self.suite), []
        for index, title in enumerate(dict.fromkeys(group.section for group in rows)):
            own = tuple(group for group in rows if group.section == title)
            name = kind_of(own[0].conditions[0]).part if own[0].outcome == "top1" else ""
            key = name if name in scores else f"part{index}"
            found.append(Part(key, title, own, scores.get(name, ())))
        return found

    @cached_property
    def clean(self) -> Group | None:
        """The row of the images as they are; None where the suite leaves it out."""
        return next((group for group in groups(self.suite) if group.conditions == (CLEAN,)), None)

    @cached_property
    def _by_model(self) -> dict[tuple[str, str], ResultCard]:
        return {(card.model.name, card.model.sha256): card for card in self.cards}

    def twin(self, card: ResultCard) -> ResultCard | None:
        """The card of a card's twin; None where it has none, or it was not measured here."""
        return self._by_model.get(card.twin)


def date(card: ResultCard) -> str:
    """The day on which a card was made, such as ``2026-11-23``; empty where it does not say."""
    return card.provenance.get("created", "")[:10]


def boards_of(by_suite: Mapping[str, list[ResultCard]]) -> list[Board]:
    """One board for each suite and set of images: larger ones first, so that the first is worth a first look."""
    found = [Board(tuple(chosen)) for cards in by_suite.values() for chosen in by_images(cards).values()]
    return sorted(found, key=lambda board: (-len(board.cards), board.id))


def images_id(data: DataCard) -> str:
    """Images in addresses: ``cifar10.b807f7d2``."""
    return f"{_address(data.name)}.{_address(data.fingerprint[:8])}"


def model_id(card: ResultCard) -> str:
    """A model on its images in addresses; the same whatever other cards there are.

    What signs of a file name cannot say (a hostile name, weights without a folder in a zoo) is in a digest.
    """
    names = card.model.name, card.data.name
    parts = [_address(card.model.name), images_id(card.data)]
    if any(_address(name) != name for name in names) or not card.model.test:
        told = "\n".join([card.model.name, card.model.sha256, card.data.name, card.data.fingerprint])
        parts.append(hashlib.sha256(told.encode()).hexdigest()[:8])
    return ".".join(parts)


def _address(text: str) -> str:
    return re.sub("[^A-Za-z0-9_.-]+", "_", text)[:LONGEST]
