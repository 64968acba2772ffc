"""Arrays from .npz files: sizes are known before memory is taken, and nothing is unpickled."""

import math
import zipfile
from collections.abc import Iterable
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


def read_npz(path: Path, names: Iterable[str], what: str) -> dict[str, npt.NDArray]:
    """Arrays of an .npz file, by name.

    Args:
        path: of the file.
        names: of the arrays that must be in it.
        what: it is, for the message, such as ``data set``.

    Raises:
        RobenchError: it is missing, damaged, of another kind, or asks for memory out of proportion to its size.
    """
    check_data_file(path, what)
    with path.open("rb") as file:
        if file.read(len(NPY)) == NPY:
            raise RobenchError(
                f"{path} is one array (.npy); write an .npz: np.savez({path.stem!r}, x=images, y=labels)."
            )
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _member(archive, name, path) for name in names}
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
    entry = archive.getinfo(f"{name}.npy")
    with archive.open(entry) as file:
        size = _declared(file) + file.tell()
    if size != entry.file_size:
        raise RobenchError(f"the array {name} in {path} declares {size:,} bytes, and there are {entry.file_size:,}.")
    if size > max(FREE, RATIO * entry.compress_size):
        raise RobenchError(f"the array {name} in {path} takes {size:,} bytes from {entry.compress_size:,}; save less.")
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _declared(file: IO[bytes]) -> int:
    """Bytes of the array that an .npy header announces; the file is left behind the header."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise RobenchError("an array of Python objects is not read; save numbers.")
    return math.prod(shape) * dtype.itemsize
