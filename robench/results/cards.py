"""Result cards on disk: JSON to read, and the outcome of every image beside it."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from robench.core.bits import unpack
from robench.core.errors import RobenchError
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard, Suite

SCHEMA = 3
OUTCOMES = ("top1", "top5", "rounded")


def card_path(card: ResultCard, folder: Path) -> Path:
    """``<model>.<dataset>.<suite>.json`` in ``folder``; signs that do not belong into a file name become ``_``.

    Another number of images than the suite's stands behind its name (``.n1017``). What that does not say stands before
    ``.json`` as a short digest: a part of a suite, and the weights of a model that has no folder of its own in a zoo.
    """
    parts = [card.model.name, card.data.name, card.suite.name]
    if card.data.n != card.suite.n_images:
        parts.append(f"n{card.data.n}")
    names = [re.sub(r"[^\w.-]+", "_", part) for part in parts]
    untold = [card.suite.part] if card.suite.part else []
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
    }


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
    except OSError as error:
        raise RobenchError(f"no folder can be made at {folder} ({error.strerror}); name another with --out.") from error


def write(card: ResultCard, folder: Path) -> Path:
    """Write the card and its outcomes; each file appears whole or not at all.

    Raises:
        RobenchError: the folder cannot be written.
    """
    path = card_path(card, folder)
    packed: dict[str, Any] = {
        kind: np.concatenate([np.packbits(getattr(m, kind)) for m in card.measurements]) for kind in OUTCOMES
    }
    packed["distance"] = np.concatenate([m.distance for m in card.measurements])
    make_folder(folder)
    try:
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, **packed)
        # The digest binds the two files: a card whose outcomes another run has replaced is seen to be damaged.
        data = to_dict(card) | {"outcomes_sha256": hashlib.sha256(partial.read_bytes()).hexdigest()}
        partial.replace(outcomes_path(path))
        partial.write_text(json.dumps(data, indent=1) + "\n")
        partial.replace(path)
    except OSError as error:
        raise RobenchError(
            f"the result card cannot be written to {folder} ({error.strerror}); name another folder with --out. "
            "The measurements are in the store: the same command goes on from there."
        ) from error
    return path


def is_published(card: ResultCard, folder: Path) -> bool:
    """Whether ``folder`` has a card of the same weights, images and whole suite."""
    path = card_path(card, folder)
    if not path.is_file():
        return False
    there = read(path)
    same = (there.model.sha256, there.data, there.suite) == (card.model.sha256, card.data, card.suite)
    return same and len(there.measurements) == len(card.measurements)


def find(name: str, folders: Iterable[Path]) -> Path:
    """The card that a path names, or the only one whose file in ``folders`` begins with ``name``.

    Raises:
        RobenchError: there is none, or more than one.
    """
    if Path(name).is_file():
        return Path(name)
    found = [path for folder in folders for path in sorted(folder.glob("*.json")) if path.name.startswith(f"{name}.")]
    if len(found) == 1:
        return found[0]
    if found:
        raise RobenchError(f"{name} may be {' or '.join(str(path) for path in found)}; name one.")
    raise RobenchError(f"there is no result card {name}; make one with: robench evaluate --model {name}.")


def read(path: Path) -> ResultCard:
    """Read a card and its outcomes.

    Raises:
        RobenchError: one of the files is missing, damaged or of another version.
    """
    try:
        data = json.loads(path.read_text())
        if data["schema"] != SCHEMA:
            raise RobenchError(f"the card {path} has schema {data['schema']}, this robench reads {SCHEMA}.")
        if hashlib.sha256(outcomes_path(path).read_bytes()).hexdigest() != data["outcomes_sha256"]:
            raise RobenchError(
                f"the outcomes of the card {path} are not those that it was written with; measure it again."
            )
        with np.load(outcomes_path(path), allow_pickle=False) as outcomes:
            bits = {kind: outcomes[kind] for kind in OUTCOMES}
            distances = outcomes["distance"] if "distance" in outcomes else np.zeros(0, np.float32)
        return _from_dict(data, bits, distances)
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise RobenchError(f"the card {path} cannot be read ({error}); measure it again.") from error


def _read_condition(data: dict[str, Any]) -> Condition:
    params = tuple(sorted(data["params"].items()))
    facts = tuple(sorted(data.get("facts", {}).items()))
    return Condition(
        data["kind"], data["name"], data["level"], params, data.get("draws", 1), tuple(data["grid"]), facts
    )


def _from_dict(data: dict[str, Any], bits: dict[str, np.ndarray], distances: np.ndarray) -> ResultCard:
    conditions = tuple(_read_condition(c) for c in data["suite"]["conditions"])
    known = {condition: condition for condition in conditions}
    measurements = []
    start = dict.fromkeys(OUTCOMES, 0)
    for entry in data["measurements"]:
        outcomes = []
        for kind in OUTCOMES:
            total = 0 if kind == "rounded" and entry["correct_rounded"] is None else entry["total"]
            end = start[kind] + -(-total // 8)
            outcomes.append(unpack(bits[kind][start[kind] : end].tobytes(), total))
            start[kind] = end
        top1, top5, rounded = outcomes
        condition = _read_condition(entry["condition"])
        condition, flags = known.get(condition, condition), tuple(entry["flags"])
        measured = 0 if entry.get("mean_distance") is None else entry["total"]
        distance, distances = distances[:measured], distances[measured:]
        measurement = Measurement(condition, entry["draw"], top1, top5, flags, entry["seconds"], rounded, distance)
        if measurement.correct != entry["correct"]:
            raise KeyError(f"outcomes of {measurement.condition.key} do not fit its count")
        measurements.append(measurement)
    model = data["model"]
    card = ModelCard(**model | {"mean": tuple(model["mean"]), "std": tuple(model["std"])})
    twin = data["twin"] or {"name": "", "sha256": ""}
    return ResultCard(
        card,
        Suite(**data["suite"] | {"conditions": conditions}),
        DataCard(**data["data"]),
        tuple(measurements),
        (twin["name"], twin["sha256"]),
        data["provenance"],
    )
