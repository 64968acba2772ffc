"""Arrays from .npz and .npy files: sizes are known before memory is taken, and nothing is unpickled."""

import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from robench.core.errors import RobenchError
from robench.core.files import check_data_file, short

FREE = 2**30
"""Bytes that an array may take however well it is compressed."""
RATIO = 100
"""Above that, how many times its compressed size it may take; photographs reach 2, and plain drawings 50."""
NPY = b"\x93NUMPY"


def npz_names(path: Path, what: str) -> list[str]:
    """Names of the arrays in an .npz file.

    Raises:
        RobenchError: it is missing, damaged, or of another kind.
    """
    with _archive(path, what) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def read_npz(path: Path, names: Iterable[str], what: str) -> dict[str, npt.NDArray]:
    """Arrays of an .npz file, by name.

    Args:
        path: of the file.
        names: of the arrays that must be in it.
        what: it is, for the message, such as ``data set``.

    Raises:
        RobenchError: it is missing, damaged, of another kind, or asks for memory out of proportion to its size.
    """
    with _archive(path, what) as archive:
        return {name: _member(archive, name, path) for name in names}


def read_npy(path: Path, what: str) -> npt.NDArray:
    """The array of an .npy file.

    Raises:
        RobenchError: it is missing, damaged, of another kind, or shorter than it says.
    """
    check_data_file(path, what)
    try:
        with path.open("rb") as file:
            array = f"the array in {path}"
            _check_size(array, _declared(file, array) + file.tell(), path.stat().st_size)
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except RobenchError:
        raise
    except Exception as error:  # numpy's header raises many kinds on damaged files
        reason = short(str(error).strip() or type(error).__name__)
        raise RobenchError(f"the {what} {path} cannot be read as .npy ({reason}); write it again: np.save.") from error


@contextmanager
def _archive(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    check_data_file(path, what)
    with path.open("rb") as file:
        if file.read(len(NPY)) == NPY:
            raise RobenchError(
                f"{path} is one array (.npy); write an .npz: np.savez({path.stem!r}, x=images, y=labels)."
            )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except RobenchError:
        raise
    except Exception as error:  # zip, its compressors and numpy's header raise a dozen kinds on damaged files
        reason = short(str(error).strip() or type(error).__name__)
        raise RobenchError(f"the {what} {path} cannot be read as .npz ({reason}); write it again: np.savez.") from error


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray:
    known = archive.namelist()
    if f"{name}.npy" not in known:
        held = ", ".join(member.removesuffix(".npy") for member in known[:10]) or "nothing"
        raise RobenchError(f"{path} must hold an array {name!r}, and holds {short(held)}.")
    entry, array = archive.getinfo(f"{name}.npy"), f"the array {name} in {path}"
    with archive.open(entry) as file:
        size = _declared(file, array) + file.tell()
    _check_size(array, size, entry.file_size)
    if size > max(FREE, RATIO * entry.compress_size):
        raise RobenchError(f"{array} takes {size:,} bytes from {entry.compress_size:,}; save less.")
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_size(array: str, declared: int, held: int) -> None:
    if declared != held:
        raise RobenchError(f"{array} declares {declared:,} bytes, and there are {held:,}.")


def _declared(file: IO[bytes], array: str) -> int:
    """Bytes of the array that an .npy header announces; the file is left behind the header."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise RobenchError(f"{array} is of Python objects; save numbers, or strings: np.array(labels, str).")
    return math.prod(shape) * dtype.itemsize
