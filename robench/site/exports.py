"""All numbers as CSV and JSON: one record for each model and row of a table, in percent and points, unrounded."""

import csv
import io
import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from robench.core.types import ResultCard
from robench.results.stats import Estimate
from robench.site.boards import Board
from robench.site.rows import Cell, Row

DECIMALS = 6
OPTIONS = {"seed": "--seed", "conditions": "--conditions"}
"""What a part of a suite says -> the option of ``robench evaluate`` that chooses it."""


def records(board: Board, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The records of some rows of a board."""
    return [_record(board, row, section, label, cell) for row in rows for section, label, cell in _cells(board, row)]


def _cells(board: Board, row: Row) -> Iterator[tuple[str, str, Cell]]:
    if board.clean:
        yield board.clean.section, board.clean.label, row.clean
    for part in board.parts:
        if part.scored:
            yield part.title, "score", row.scores[part.key]
        yield from (
            (part.title, group.label, cell) for group, cell in zip(part.groups, row.cells[part.key], strict=True)
        )


def _record(board: Board, row: Row, section: str, label: str, cell: Cell) -> dict[str, Any]:
    model, provenance = row.card.model, row.card.provenance
    return {
        "model": model.name,
        "architecture": model.architecture,
        "quantizer": model.quantizer,
        "bits": model.bits,
        "weights": model.weights,
        "stored_bytes": model.stored_bytes,
        "section": section,
        "condition": label,
        **_numbers("accuracy", cell.value),
        "twin": row.twin.model.name if row.twin else "",
        **_numbers("difference", cell.gap or ""),
        "flags": "; ".join(cell.flags),
        "suite": board.suite.name,
        "version": board.suite.version,
        "dataset": board.data.name,
        "images": board.data.n,
        "fingerprint": board.data.fingerprint,
        "checked": row.card.standing,
        "commit": provenance.get("commit", ""),
        "created": provenance.get("created", ""),
    }


def _numbers(name: str, found: Estimate | str) -> dict[str, Any]:
    parts = (found or None, None, None) if isinstance(found, str) else (found.value, found.low, found.high)
    shown = [part if part is None or isinstance(part, str) else round(100 * part, DECIMALS) + 0.0 for part in parts]
    return dict(zip((name, f"{name}_low", f"{name}_high"), shown, strict=True))


def as_json(found: Sequence[dict[str, Any]]) -> str:
    """Records as JSON."""
    return json.dumps(found, indent=1) + "\n"


def as_csv(found: Sequence[dict[str, Any]]) -> str:
    """Records as CSV, with a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found[0])
    writer.writerows([[_told(value) for value in record.values()] for record in found])
    return text.getvalue()


def _told(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: numbers may begin with a sign, text from a card may not."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def again(card: ResultCard) -> str:
    """The command that measures a card again; what the card says is quoted."""
    words = ["--model", card.model.name, "--suite", card.suite.name, "--dataset", card.data.name]
    if card.twin[0]:
        words += ["--twin", card.twin[0]]
    if card.data.n != card.suite.n_images:
        words += ["--n-images", str(card.data.n)]
    for change in card.suite.part.split("&"):
        name, _, value = change.partition("=")
        if name in OPTIONS:
            words += [OPTIONS[name], value]
    return f"robench evaluate {shlex.join(words)}"
