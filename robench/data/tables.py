"""Tables of encoded images: Parquet files, and folders that the library ``datasets`` saved (Arrow files).

Images are read from the bytes in the table alone. What else a row may name, such as a path, is never opened; nor are
files that a folder's own descriptions name: only those that lie in it, under their usual names.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from robench.core.errors import RobenchError
from robench.core.files import check_data_file, exists, expanded, read_text, short
from robench.core.optional import import_optional
from robench.core.types import MOST_CLASSES, MOST_IMAGES
from robench.data import register
from robench.data.base import Dataset
from robench.data.labels import order, read_labels
from robench.data.lazy import LazyImages, Pictures
from robench.data.pictures import opened

if TYPE_CHECKING:
    import pyarrow as pa

IMAGES = ("image", "img", "images", "picture", "jpg", "png", "webp")
LABELS = ("label", "labels", "fine_label", "target", "class", "cls", "y")
"""Names of columns, in upper or lower case; the first that is there is taken."""
SPLITS = {"test": ("test", "validation", "valid", "val"), "train": ("train",)}
INSTALL = "pip install 'robench[hf]'"
KEPT = 2
"""Row groups of a Parquet file that are in memory at once."""


class Table(Protocol):
    """Rows in a fixed order, of which one is had at a time, and columns that are had whole."""

    schema: "pa.Schema"

    def __len__(self) -> int: ...

    def column(self, name: str) -> "pa.ChunkedArray":
        """All values of a column."""
        ...

    def value(self, name: str, row: int) -> Any:
        """One value, as plain Python has it; called by several threads at once."""
        ...


class ParquetTable:
    """The rows of Parquet files, one file after the other."""

    def __init__(self, paths: list[Path]) -> None:
        self.files = [_parquet_file(path) for path in paths]
        self.schema = self.files[0].schema_arrow
        for path, file in zip(paths, self.files, strict=True):
            if file.schema_arrow.names != self.schema.names:
                raise RobenchError(
                    f"{path} has other columns than {paths[0]}; put files of one data set into a folder."
                )
        self.groups = [(file, group) for file in self.files for group in range(file.num_row_groups)]
        self.starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for file, group in self.groups)])
        self.lock, self.kept = Lock(), dict[tuple[int, str], Any]()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def column(self, name: str) -> "pa.ChunkedArray":
        """All values of a column."""
        import pyarrow as pa

        return pa.chunked_array([part for file in self.files for part in file.read([name]).column(name).chunks])

    def value(self, name: str, row: int) -> Any:
        """One value; the row group that it is in stays in memory until two others have been read."""
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        with self.lock:  # a file is read by one thread at a time
            if (group, name) not in self.kept:
                file, number = self.groups[group]
                self.kept[group, name] = file.read_row_group(number, [name]).column(name)
                if len(self.kept) > KEPT:
                    self.kept.pop(next(iter(self.kept)))
            values = self.kept[group, name]
        return values[row - int(self.starts[group])].as_py()


class ArrowTable:
    """The rows of Arrow files, which stay on the disk until they are looked at."""

    def __init__(self, paths: list[Path]) -> None:
        arrow = import_optional("pyarrow", INSTALL)
        self.table = arrow.concat_tables([_arrow_table(path) for path in paths])
        with _reading(paths[0].parent):
            self.table.validate(full=True)  # offsets that lead out of a damaged file would crash the process
        self.schema = self.table.schema

    def __len__(self) -> int:
        return self.table.num_rows

    def column(self, name: str) -> "pa.ChunkedArray":
        """All values of a column."""
        return self.table.column(name)

    def value(self, name: str, row: int) -> Any:
        """One value."""
        return self.table.column(name)[row].as_py()


def _parquet_file(path: Path) -> "pa.parquet.ParquetFile":
    parquet = import_optional("pyarrow.parquet", INSTALL)
    check_data_file(path, "Parquet file")
    with _reading(path):
        return parquet.ParquetFile(path)


def _arrow_table(path: Path) -> "pa.Table":
    arrow = import_optional("pyarrow", INSTALL)
    check_data_file(path, "Arrow file")
    with _reading(path):
        return arrow.ipc.open_stream(arrow.memory_map(str(path))).read_all()


@contextmanager
def _reading(path: object) -> Iterator[None]:
    """Pyarrow reads in the block; it raises many kinds on damaged files."""
    try:
        yield
    except RobenchError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"{short(path)} cannot be read ({short(reason)}); write it again.") from error


def from_table(table: Table, name: str, source: str) -> Dataset:
    """A data set of the columns with encoded images and labels.

    Raises:
        RobenchError: there are no such columns, they hold something else, or the labels fit none of the usual forms.
    """
    if not 0 < len(table) <= MOST_IMAGES:
        raise RobenchError(f"{source} holds {len(table):,} rows; there must be images in it.")
    image, label = (_column(table, names, source) for names in (IMAGES, LABELS))
    with _reading(source):
        labels = _label_values(table.column(label), f"the labels {label} in {source}")
        _encoded(table.value(image, 0), image)
    pictures = Pictures(
        lambda row: opened(_encoded(table.value(image, row), image)), lambda row: f"row {row} of {source}"
    )
    classes = _class_names(table.schema, label)
    found = read_labels(labels, f"the labels {label} in {source}", classes)
    notes = (f"classes: {order(classes)}", *found.notes) if classes else found.notes
    return Dataset(name, source, LazyImages(pictures, np.arange(len(table))), found.labels, found.names, notes)


def _column(table: Table, names: tuple[str, ...], source: str) -> str:
    by_name = {name.lower(): name for name in reversed(table.schema.names)}
    found = next((by_name[name] for name in names if name in by_name), None)
    if found is None:
        raise RobenchError(
            f"{source} must have a column {names[0]} (or {', '.join(names[1:])}), and has "
            f"{short(', '.join(table.schema.names)) or 'none'}; rename one."
        )
    return found


def _encoded(value: Any, column: str) -> bytes:
    """The bytes of an encoded image: the value itself, or what ``datasets`` calls so in it."""
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        path = isinstance(value, str) or (isinstance(value, dict) and value.get("path"))
        what = "a path, which is not opened" if path else f"{type(value).__name__}"
        raise RobenchError(
            f"the column {column} must hold encoded images (PNG, JPEG, ...) as bytes, and holds {what}; save the "
            "images themselves into the table"
        )
    return content


def _label_values(column: "pa.ChunkedArray", where: str) -> npt.NDArray:
    if column.null_count:
        raise RobenchError(f"{where} are missing in {column.null_count} of {len(column)} rows; leave those out.")
    try:
        return np.array(column.to_pylist())
    except ValueError as error:  # lists of several lengths
        raise RobenchError(f"{where} must be whole numbers, one-hot, or strings; not {column.type}.") from error


def _class_names(schema: "pa.Schema", label: str) -> tuple[str, ...]:
    """The names that ``datasets`` writes beside a table; none where there are none, or something else."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        names = described["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return ()
    fits = isinstance(names, list) and 0 < len(names) <= MOST_CLASSES
    return tuple(names) if fits and all(isinstance(name, str) and len(name) <= 500 for name in names) else ()


@register("parquet")
def parquet(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: parquet:FILE_OR_FOLDER, encoded images as bytes in a column image, labels in a column label."""
    path = expanded(Path(argument))
    if argument and exists(path, Path.is_dir):
        paths = _of_split(path, split)
    elif split == "train":
        raise RobenchError(f"parquet:{short(argument)} is one file of test images; training images need a folder.")
    else:
        paths = [path]
    return from_table(ParquetTable(paths), f"parquet:{path.name}", path.name)


def _of_split(folder: Path, split: str) -> list[Path]:
    """The Parquet files of a split by their names, or their folders'; all of them where no name tells a split."""
    everything = [path for path in sorted(folder.rglob("*.parquet")) if not path.name.startswith(".")]
    if not everything:
        raise RobenchError(f"there is no Parquet file in {folder}; check --dataset parquet:FILE_OR_FOLDER.")
    found = {name: [path for path in everything if _says(path, name)] for names in SPLITS.values() for name in names}
    chosen = next((found[name] for name in SPLITS[split] if found[name]), None)
    if chosen is not None:
        return chosen
    if split == "train" or any(found.values()):
        raise RobenchError(f"no file in {folder} is called after the {split} split ({' or '.join(SPLITS[split])}).")
    return everything


def _says(path: Path, split: str) -> bool:
    return split == path.parent.name or re.split(r"[-_.]", path.name)[0] == split


@register("hf")
def hf(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """Your own images: hf:FOLDER, which the library datasets has saved with save_to_disk."""
    folder = expanded(Path(argument))
    if not argument or not exists(folder, Path.is_dir):
        raise RobenchError(f"there is no folder {short(repr(str(folder)))}; use --dataset hf:FOLDER.")
    name = folder.name
    if not _arrow_files(folder):
        folder = _saved_split(folder, split)
    elif split == "train":
        raise RobenchError(f"{folder} holds one split, taken as test images; training images need a saved DatasetDict.")
    _check_order(folder / "state.json")
    return from_table(ArrowTable(_arrow_files(folder)), f"hf:{name}", name)


def _saved_split(folder: Path, split: str) -> Path:
    found = [folder / name for name in SPLITS[split] if exists(folder / name, Path.is_dir)]
    if not found or not _arrow_files(found[0]):
        raise RobenchError(
            f"{folder} is no folder that datasets saved with a {split} split; write it with save_to_disk, or name a "
            "folder of images with imagefolder:."
        )
    return found[0]


def _arrow_files(folder: Path) -> list[Path]:
    """The data files; what ``datasets`` caches beside them is of other data sets."""
    return sorted([*folder.glob("data-*.arrow"), *folder.glob("dataset.arrow")])


def _check_order(path: Path) -> None:
    """Raise RobenchError where rows were chosen or shuffled, and the choice is kept apart from the rows."""
    try:
        state = json.loads(read_text(path)) if exists(path) else {}
    except ValueError as error:
        raise RobenchError(f"{path} is damaged; save the data set again with save_to_disk.") from error
    if isinstance(state, dict) and (state.get("_indices_files") or state.get("_indices_data_files")):
        raise RobenchError(
            f"{path.parent} keeps the order of its rows apart; call flatten_indices() before save_to_disk."
        )
