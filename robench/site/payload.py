"""What the pages' scripts read: numbers in percent as the tables show them, and packed outcomes for pairing.

A page that is opened from a folder may not fetch files, but may load scripts: every data file is one call of
``robench.give`` with the file's key and JSON.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from robench.core.bits import pack
from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Bits, Condition, ResultCard
from robench.results.figures import curve, panels
from robench.results.scores import families
from robench.results.stats import Estimate
from robench.results.summary import VARIANTS
from robench.site.boards import Board, Part, date, model_id
from robench.site.rows import Cell, Row

Json = dict[str, Any]


def script(key: str, value: Json) -> str:
    """The text of a data file; plain ASCII, so that it is the same in every encoding."""
    return f"robench.give({json.dumps(key)}, {json.dumps(value, separators=(',', ':'))});\n"


def percent(estimate: Estimate) -> list[float]:
    """[value, low, high] in percent or points, rounded as ``robench.results.summary.percent`` rounds them."""
    return [round(100 * part, 1) + 0.0 for part in (estimate.value, estimate.low, estimate.high)]


def board(found: Board, rows: Sequence[Row]) -> Json:
    """Everything that a table of models shows."""
    places = {condition: index for index, condition in enumerate(found.suite.conditions)}
    told = sorted({flag for row in rows for flag in _flags(row)})
    return summary(found) | {
        "clean": places.get(CLEAN),
        "parts": [_part(part, places) for part in found.parts],
        "flags": told,
        "models": [_model(row, told) for row in rows],
    }


def summary(found: Board) -> Json:
    """What every page says of a board."""
    data = found.data
    return {
        "id": found.id,
        "suite": found.suite.name,
        "version": found.suite.version,
        "data": {"name": data.name, "source": data.source, "n": data.n, "fingerprint": data.fingerprint},
        "newest": found.newest,
        "count": len(found.cards),
    }


def _part(part: Part, places: dict[Condition, int]) -> Json:
    return {
        "key": part.key,
        "title": part.title,
        "outcome": part.outcome,
        "scored": len(part.scored),
        "families": _families(part, places),
        "columns": [
            {"label": group.label, "note": _note(group.conditions), "conditions": [places[c] for c in group.conditions]}
            for group in part.groups
        ],
    }


def _families(part: Part, places: dict[Condition, int]) -> list[Json]:
    """What a score averages (see ``robench.results.scores``): the conditions of each level of each family."""
    return [
        {"worst": kind_of(own[0]).worst_case, "levels": [[places[c] for c in level] for level in _levels(own)]}
        for own in families(part.scored)
    ]


def _levels(conditions: Sequence[Condition]) -> list[list[Condition]]:
    """Conditions that give one outcome together: each alone, or for the worst case all of a level, the lowest first."""
    if not kind_of(conditions[0]).worst_case:
        return [[condition] for condition in conditions]
    levels = sorted({condition.level or 0.0 for condition in conditions})
    return [[c for c in conditions if (c.level or 0.0) == level] for level in levels]


def _note(conditions: Sequence[Condition]) -> str:
    if len(conditions) > 1:
        return f"mean of {len(conditions)} levels"
    return f"mean of {conditions[0].draws} draws" if conditions[0].draws > 1 else ""


def _flags(row: Row) -> Iterable[str]:
    cells = [row.clean, *row.scores.values(), *(cell for part in row.cells.values() for cell in part)]
    return (flag for cell in cells for flag in cell.flags)


def _model(row: Row, told: list[str]) -> Json:
    model = row.card.model
    return {
        "id": row.id,
        "name": model.name,
        "architecture": model.architecture,
        "quantizer": model.quantizer,
        "variant": VARIANTS.get(model.quantizer, ""),
        "bits": model.bits,
        "weights": model.weights,
        "bytes": model.stored_bytes,
        "twin": model_id(row.twin) if row.twin else "",
        "state": row.state,
        "checked": row.card.standing,
        "date": date(row.card),
        "clean": _shown(row.clean, told),
        "scores": {key: _shown(cell, told) for key, cell in row.scores.items()},
        "cells": {key: [_shown(cell, told) for cell in cells] for key, cells in row.cells.items()},
    }


def _shown(cell: Cell, told: list[str]) -> list[Any]:
    """[accuracy or sign, difference or 0, flags]; what is empty at the end is left out."""
    value = cell.value if isinstance(cell.value, str) else percent(cell.value)
    shown = [value, percent(cell.gap) if cell.gap else 0, [told.index(flag) for flag in cell.flags]]
    return shown if shown[2] else shown[:2] if shown[1] else shown[:1]


def curves(found: Board, cards: Sequence[ResultCard]) -> Json:
    """Accuracy against level, for each family of conditions with two levels or more."""
    shown = panels(cards)
    return {
        "panels": [
            {"title": panel.title, "axis": panel.axis.name, "log": panel.axis.log, "clean": panel.axis.from_clean}
            | {
                "section": panel.kind.section,
                "ticks": [[kind_of(c).x(c), kind_of(c).level(c)] for c in panel.conditions],
            }
            for panel in shown
        ],
        "curves": {
            model_id(card): [[[x, *percent(estimate)] for x, estimate in curve(card, panel)] for panel in shown]
            for card in cards
        },
    }


def outcomes(card: ResultCard) -> Json:
    """Which images are right, for each condition of the suite and each draw; null where that was not judged."""
    found = [card.of(condition) for condition in card.suite.conditions]
    return {
        "images": card.data.n,
        "draws": [condition.draws for condition in card.suite.conditions],
        "top1": [[_packed(m.top1) for m in rows] for rows in found],
        "rounded": [[_packed(m.rounded) for m in rows] for rows in found],
    }


def _packed(bits: Bits) -> str | None:
    return base64.b64encode(pack(bits)).decode() if len(bits) else None
