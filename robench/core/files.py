"""Files that are read under a bound, and written whole or not at all."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from robench.core.errors import NotHereError, RobenchError

LARGEST_TEXT = 64 * 2**20
"""Bytes of a suite, card or recipe; the largest cards of the boards have 60 kB."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` when the block ends, and is removed where it fails.

    Several processes may write one file at once: each has a draft of its own, and the last one stays.
    """
    handle, name = mkstemp(prefix=f".{path.name[:64]}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())  # mkstemp's files are the owner's alone
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """As long as the block lasts no other process is in such a block for the same folder, unless both are ``shared``.

    For files that belong together and are not replaced in one moment. A file system without locks goes without.
    """
    handle = None
    with suppress(ImportError, OSError):  # Windows; no such folder, or a file system without locks
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)  # which unlocks


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises:
        RobenchError: it is missing, no regular file, too large, or not UTF-8.
    """
    try:
        if not path.is_file():
            raise NotHereError(f"there is no file {path}; check the path.")
        size = path.stat().st_size
        if size > LARGEST_TEXT:
            raise RobenchError(
                f"{path} has {size:,} bytes; a text file of robench's has no more than {LARGEST_TEXT:,}."
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RobenchError(f"{path} is not text in UTF-8; it may be damaged, or another kind of file.") from error
    except OSError as error:
        raise RobenchError(f"{short(path)} cannot be read: {error.strerror or error}.") from error


def exists(path: Path, test: Callable[[Path], bool] = Path.is_file) -> bool:
    """Whether there is such a file; False also where its name is longer than a file system takes."""
    try:
        return test(path)
    except (OSError, ValueError):
        return False


def expanded(path: Path) -> Path:
    """The path with a leading ``~`` replaced by a home directory.

    Raises:
        RobenchError: there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise RobenchError(f"the path {path} names a user that is not known here; write it out.") from error


def file_name(text: str) -> str:
    """Text with ``_`` for signs that do not belong into a file name."""
    return re.sub(r"[^\w.-]+", "_", text)


def short(text: object, length: int = 200) -> str:
    """Text that fits into a message."""
    words = str(text)
    return words if len(words) <= length else f"{words[:length]}…"


LFS = b"version https://git-lfs"


def check_data_file(path: Path, what: str) -> None:
    """Raise RobenchError where a file is not there, is no regular file, is empty, or is Git LFS's pointer to one.

    Args:
        path: of the file.
        what: it should be, such as ``weights file``.
    """
    if not exists(path):
        raise NotHereError(f"there is no {what} {short(path)}; check the path.")
    try:
        with path.open("rb") as file:
            start = file.read(len(LFS))
    except (OSError, ValueError) as error:
        raise RobenchError(f"the {what} {short(path)} cannot be read: {getattr(error, 'strerror', error)}.") from error
    if start == LFS:
        raise RobenchError(f"{path} is a pointer of Git LFS, not the {what} itself; fetch it: git lfs pull")
    if not start:
        raise RobenchError(f"the {what} {path} is empty; fetch it again.")


def file_digest(path: Path) -> str:
    """sha256 of a file that is there, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
