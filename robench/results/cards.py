"""Result cards on disk: JSON to read, and the outcome of every image beside it."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Interval, Len

from robench.core.arrays import read_npz
from robench.core.bits import unpack
from robench.core.errors import RobenchError
from robench.core.files import check_data_file, exists, file_digest, file_name, locked, read_text, short, whole
from robench.core.gate import check_name, checked
from robench.core.types import (
    Bits,
    Condition,
    Count,
    DataCard,
    Floats,
    Line,
    Measurement,
    ModelCard,
    ResultCard,
    Seed,
    Suite,
    Value,
)
from robench.results.compare import Row, compare
from robench.results.frame import to_frame
from robench.results.notebook import html

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 3
OUTCOMES = ("top1", "top5", "rounded")
COUNTS = ("correct", "correct_top5", "correct_rounded", "mean_distance")


@dataclass(frozen=True)
class ConditionEntry:
    """A condition in a card."""

    kind: Line
    name: Line
    level: float | None
    params: dict[str, Value]
    grid: list[float]
    draws: Annotated[int, Interval(ge=1, le=100_000)] = 1
    facts: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasurementEntry:
    """A measurement in a card; its outcomes are in the file beside it."""

    condition: ConditionEntry
    draw: Count
    correct: Count
    correct_top5: Count
    correct_rounded: Count | None
    mean_distance: float | None
    total: Count
    flags: Annotated[list[Line], Len(0, 100)]
    seconds: Annotated[float, Interval(ge=0)]
    numbers: dict[str, Count] = field(default_factory=dict)
    path: Annotated[list[tuple[Count, Count]], Len(0, 10_000)] = field(default_factory=list)


@dataclass(frozen=True)
class SuiteEntry:
    """The suite in a card."""

    name: Line
    version: Count
    n_images: Count
    seed: Seed
    part: Line
    conditions: list[ConditionEntry]
    twins: Line = ""

    def __post_init__(self) -> None:
        check_name(self.name, "the name of a suite")


@dataclass(frozen=True)
class TwinEntry:
    """Which model a card is compared with."""

    name: Line
    sha256: Line


@dataclass(frozen=True)
class CardFile:
    """The JSON of a card."""

    schema: int
    model: ModelCard
    twin: TwinEntry | None
    suite: SuiteEntry
    data: DataCard
    measurements: Annotated[list[MeasurementEntry], Len(1)]
    provenance: dict[str, Line]
    outcomes_sha256: Line

    def __post_init__(self) -> None:
        if not self.model.name:
            raise ValueError("model.name must not be empty")
        if not re.fullmatch("[0-9a-f]{64}", self.model.sha256):
            raise ValueError(f"model.sha256 must be 64 hexadecimal digits, not {short(repr(self.model.sha256), 60)}")


@dataclass(frozen=True, eq=False, repr=False)
class Card(ResultCard):
    """A result card with what a program or a notebook does with one."""

    def _repr_html_(self) -> str:
        """The card in a notebook."""
        return html(self)

    def to_frame(self) -> "pd.DataFrame":
        """The rows of its tables as a pandas DataFrame; see ``robench.results.frame``.

        Raises:
            RobenchError: pandas is not installed.
        """
        return to_frame(self, self.twin_card)

    def save(self, path: str | Path) -> Path:
        """Write the card, and its outcomes beside it.

        Args:
            path: a file that ends in ``.json``, or a folder, in which the card gets its usual name.

        Returns:
            The card's file.

        Raises:
            RobenchError: it cannot be written.
        """
        place = Path(path)
        return write_file(self, place) if place.suffix == ".json" else write(self, place)

    def difference(self, twin: ResultCard | None = None) -> list[Row]:
        """Condition by condition: accuracies, their difference paired by image, and p; ``twin`` is its own by default.

        Raises:
            RobenchError: it has none, or they are not of the same images under the same suite.
        """
        other = twin or self.twin_card
        if other is None:
            raise RobenchError(f"{self.model.name} was measured without a twin; give the card to compare it with.")
        if not isinstance(other, ResultCard):
            raise RobenchError(f"a card is compared with a card (robench.results.cards.read), not {other!r}.")
        return compare(self, other)


def card_path(card: ResultCard, folder: Path) -> Path:
    """``<model>.<dataset>.<suite>.json`` in ``folder``; signs that do not belong into a file name become ``_``.

    Another number of images than the suite's stands behind its name (``.n1017``). What that does not say stands before
    ``.json`` as a short digest: a part of a suite, the weights of a model that has no folder of its own in a zoo, the
    pixels of images of one's own.
    """
    parts = [card.model.name, card.data.name, card.suite.name]
    if card.data.n != card.suite.n_images:
        parts.append(f"n{card.data.n}")
    names = [file_name(part) for part in parts]
    untold = [card.suite.part] if card.suite.part else []
    if names[1] != card.data.name:
        untold += [card.data.name, card.data.fingerprint]
    if not card.model.test or names[0] != card.model.name:
        untold += [card.model.name, card.model.sha256]
    if untold:
        names.append(hashlib.sha256("\n".join(untold).encode()).hexdigest()[:8])
    return folder / (".".join(names) + ".json")


def outcomes_path(path: Path) -> Path:
    """Where the outcomes of the card at ``path`` are."""
    return path.with_name(path.name.removesuffix(".json") + ".outcomes.npz")


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "kind": condition.kind,
        "name": condition.name,
        "level": condition.level,
        "params": dict(condition.params),
        "grid": list(condition.grid),
    }


def _measurement(m: Measurement) -> dict[str, Any]:
    further = {"numbers": dict(m.numbers), "path": [list(step) for step in m.path]}
    return {
        "condition": _condition(m.condition),
        "draw": m.draw,
        "correct": m.correct,
        "correct_top5": m.correct_top5,
        "correct_rounded": int(m.rounded.sum()) if len(m.rounded) else None,
        "mean_distance": round(float(m.distance.mean()), 4) if len(m.distance) else None,
        "total": m.total,
        "flags": list(m.flags),
        "seconds": round(m.seconds, 3),
    } | {name: value for name, value in further.items() if value}


def to_dict(card: ResultCard) -> dict[str, Any]:
    """The card as plain data, ready for JSON."""
    suite = card.suite
    return {
        "schema": SCHEMA,
        "model": asdict(card.model),
        "twin": {"name": card.twin[0], "sha256": card.twin[1]} if card.twin[0] else None,
        "suite": {
            "name": suite.name,
            "version": suite.version,
            "n_images": suite.n_images,
            "seed": suite.seed,
            "part": suite.part,
            "twins": suite.twins,
            "conditions": [_condition(c) | {"draws": c.draws, "facts": dict(c.facts)} for c in suite.conditions],
        },
        "data": asdict(card.data),
        "measurements": [_measurement(m) for m in card.measurements],
        "provenance": card.provenance,
    }


def make_folder(folder: Path) -> None:
    """Make the folder for cards, or say at once that it cannot be had."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RobenchError(
            f"no cards can be written to {folder} ({error.strerror}); name another with --out."
        ) from error


def write(card: ResultCard, folder: Path) -> Path:
    """Write the card and its outcomes into a folder; each file appears whole or not at all.

    Raises:
        RobenchError: the folder cannot be written.
    """
    return write_file(card, card_path(card, folder))


def write_file(card: ResultCard, path: Path) -> Path:
    """The same under a name of one's own, which ends in ``.json``."""
    folder = path.parent
    packed: dict[str, Any] = {
        kind: np.concatenate([np.packbits(getattr(m, kind)) for m in card.measurements]) for kind in OUTCOMES
    }
    packed["distance"] = np.concatenate([m.distance for m in card.measurements])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder), whole(path) as text, whole(outcomes_path(path)) as arrays:
            with arrays.open("wb") as file:
                np.savez_compressed(file, **packed)
            # The digest binds the two files: a card whose outcomes another run has replaced is seen to be damaged.
            data = to_dict(card) | {"outcomes_sha256": file_digest(arrays)}
            text.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise RobenchError(
            f"the result card cannot be written to {folder} ({error.strerror}); name another folder with --out. "
            "The measurements are in the store: the same command goes on from there."
        ) from error
    return path


def is_published(card: ResultCard, folder: Path) -> bool:
    """Whether ``folder`` has a card of the same weights, images and whole suite."""
    path = card_path(card, folder)
    try:
        there = read(path)
    except RobenchError:  # none, or a damaged one that is to be replaced
        return False
    same = (there.model.sha256, there.data, there.suite) == (card.model.sha256, card.data, card.suite)
    return same and len(there.measurements) == len(card.measurements)


def find(name: str, folders: Sequence[Path], *, newest: bool = True) -> Path:
    """The card that a path names, or the one whose file begins with the name of a model as it was typed.

    Args:
        name: of a file or a model.
        folders: the first that has any is meant.
        newest: of several in the first folder of all (what was measured here) the newest is meant, else one must be
            named.

    Raises:
        RobenchError: there is none, or more than one in another folder.
    """
    if exists(Path(name)):
        return Path(name)
    for folder in folders:
        found = _named(name, folder)
        if len(found) == 1 or (found and newest and folder == folders[0]):
            return max(found, key=lambda path: path.stat().st_mtime_ns)
        if found:
            raise RobenchError(f"{name} may be {' or '.join(map(str, found))}; name one.")
    raise RobenchError(f"there is no result card {short(name)}; make one: robench evaluate --model {short(name)}")


def _named(name: str, folder: Path) -> list[Path]:
    """The cards of a folder whose files begin with the name of a model as it was typed."""
    *_, last = name.rpartition("/")
    starts = {f"{file_name(name)}.", f"{last}.{file_name(name.removesuffix(last).rstrip('/'))}."}
    return [path for path in sorted(folder.glob("*.json")) if any(path.name.startswith(start) for start in starts)]


def find_pair(first: str, second: str, folders: Sequence[Path]) -> tuple["Card", "Card"]:
    """The cards that two names mean: the newest, or the newest of the same images under the same suite.

    Raises:
        RobenchError: one of them is not there.
    """
    newest = read(find(first, folders)), read(find(second, folders))
    if _comparable(*newest):
        return newest
    names = (first, second)
    ours, theirs = ([card, *_others(name, folders[0])] for name, card in zip(names, newest, strict=True))
    return next((pair for pair in product(ours, theirs) if _comparable(*pair)), newest)


def _others(name: str, folder: Path) -> list["Card"]:
    """The cards of a folder that a name may mean, the newest first; those that cannot be read are passed over."""
    found = []
    for path in sorted(_named(name, folder), key=lambda path: -path.stat().st_mtime_ns):
        with suppress(RobenchError):
            found.append(read(path))
    return [] if exists(Path(name)) else found


def _comparable(first: ResultCard, second: ResultCard) -> bool:
    return (first.suite, first.data) == (second.suite, second.data)


def read(path: Path) -> Card:
    """Read a card and its outcomes.

    Raises:
        RobenchError: one of the files is missing, damaged or of another version, or the two contradict each other.
    """
    with locked(path.parent, shared=True):
        return _read(path)


def _read(path: Path) -> Card:
    where, again = f"the card {path}", "measure it again."
    text = read_text(path)
    schema = re.search(r'"schema": (\d+)', text[:1000])
    if schema and int(schema[1]) != SCHEMA:
        raise RobenchError(f"{where} has schema {schema[1]}, this robench reads {SCHEMA}; {again}")
    file = checked(CardFile, text, where)
    beside = outcomes_path(path)
    check_data_file(beside, "outcomes file")
    if file_digest(beside) != file.outcomes_sha256:
        raise RobenchError(f"the outcomes of {where} are not those that it was written with; {again}")
    arrays = read_npz(beside, (*OUTCOMES, "distance"), "outcomes file")
    try:
        return _card(file, Outcomes(arrays))
    except ValueError as error:
        raise RobenchError(f"{where} contradicts itself: {error}; {again}") from error


class Outcomes:
    """The packed outcomes of a card, taken measurement by measurement."""

    def __init__(self, arrays: Mapping[str, npt.NDArray]) -> None:
        for name, array in arrays.items():
            wanted = np.float32 if name == "distance" else np.uint8
            if array.ndim != 1 or array.dtype != wanted:
                raise ValueError(f"its array {name} is {array.dtype} {list(array.shape)}")
        self.arrays = dict(arrays)

    def bits(self, kind: str, total: int) -> Bits:
        """The next ``total`` outcomes of a kind."""
        return unpack(self._take(kind, -(-total // 8)).tobytes(), total)

    def distances(self, total: int) -> Floats:
        """The next ``total`` distances."""
        return self._take("distance", total)

    def _take(self, name: str, count: int) -> npt.NDArray:
        array = self.arrays[name]
        if count > len(array):
            raise ValueError(f"its array {name} is too short")
        self.arrays[name] = array[count:]
        return array[:count]

    def check_used_up(self) -> None:
        """Raise ValueError where something is left."""
        for name, array in self.arrays.items():
            if len(array):
                raise ValueError(f"its array {name} is too long")


def _card(file: CardFile, outcomes: Outcomes) -> Card:
    conditions = tuple(_read_condition(entry) for entry in file.suite.conditions)
    known = {condition: condition for condition in conditions}
    measurements: dict[tuple[Condition, int], Measurement] = {}
    for entry in file.measurements:
        condition = known.get(_read_condition(entry.condition))
        if condition is None or entry.draw >= condition.draws:
            raise ValueError(f"{entry.condition.name} is measured, and not in its suite")
        if (condition, entry.draw) in measurements:
            raise ValueError(f"draw {entry.draw} of {condition.key} is there twice")
        measurements[condition, entry.draw] = _read_measurement(entry, condition, file.data.n, outcomes)
    outcomes.check_used_up()
    suite = _suite(file.suite, conditions)
    twin = file.twin or TwinEntry("", "")
    found = tuple(measurements.values())
    return Card(file.model, suite, file.data, found, (twin.name, twin.sha256), dict(file.provenance))


def _read_measurement(entry: MeasurementEntry, condition: Condition, images: int, outcomes: Outcomes) -> Measurement:
    if entry.total not in (0, images):
        raise ValueError(f"{condition.key} has outcomes of {entry.total} of {images} images")
    top1, top5 = (outcomes.bits(kind, entry.total) for kind in ("top1", "top5"))
    rounded = outcomes.bits("rounded", entry.total if entry.correct_rounded is not None else 0)
    distance = outcomes.distances(entry.total if entry.mean_distance is not None else 0)
    numbers, path, flags = tuple(sorted(entry.numbers.items())), tuple(entry.path), tuple(entry.flags)
    found = Measurement(condition, entry.draw, top1, top5, flags, entry.seconds, rounded, distance, numbers, path)
    if not (np.isfinite(distance) & (distance >= 0)).all():
        raise ValueError(f"{condition.key} has distances that are none")
    counted = _measurement(found)
    if any(getattr(entry, key) != counted[key] for key in COUNTS) or (top1 & ~top5).any():
        raise ValueError(f"the outcomes of {condition.key} do not fit its counts")
    return found


def _read_condition(entry: ConditionEntry) -> Condition:
    params, facts = (tuple(sorted(values.items())) for values in (entry.params, entry.facts))
    return Condition(entry.kind, entry.name, entry.level, params, entry.draws, tuple(entry.grid), facts)


def _suite(suite: SuiteEntry, conditions: tuple[Condition, ...]) -> Suite:
    return Suite(suite.name, suite.version, suite.n_images, suite.seed, conditions, suite.part, suite.twins)
