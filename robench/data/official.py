"""Public data sets by their usual files: looked for where the user keeps data, then in the cache, else downloaded."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from robench.core.errors import NotHereError, RobenchError
from robench.core.files import check_data_file, expanded
from robench.data.base import Dataset

CONNECT, READ = 5, 20
"""Seconds that a server has to answer and to go on: where there is no network, nobody waits longer."""


def cache_dir() -> Path:
    """Where downloads are kept."""
    import pooch

    return Path(pooch.os_cache("robench"))


def find_or_fetch(
    name: str,
    look: Callable[[Path], Dataset | None],
    fetch: Callable[[Path], None],
    data_dir: Path | None,
    forms: str,
) -> Dataset:
    """A data set from ``data_dir`` or $ROBENCH_DATA, from the cache, or downloaded into that.

    Args:
        name: in messages, such as ``"CIFAR-10 test set"``.
        look: finds it in a folder, or gives None.
        fetch: downloads it into a folder.
        data_dir: where the user keeps data, if they said so; then nothing is downloaded.
        forms: the files that may be there, for the message.

    Raises:
        NotHereError: it is in none of these places and cannot be downloaded.
        RobenchError: it is there, and damaged.
    """
    given = data_dir or (Path(os.environ["ROBENCH_DATA"]) if os.environ.get("ROBENCH_DATA") else None)
    for folder in (given, cache_dir()):
        found = look(expanded(folder)) if folder is not None else None
        if found is not None:
            return found
    if data_dir is not None:
        raise NotHereError(f"there is no {name} in {data_dir}; it may hold {forms}.")
    fetch(cache_dir())
    found = look(cache_dir())
    assert found is not None
    return found


def download(url: str, md5: str, folder: Path, name: str, *, unpack: bool = False) -> None:
    """Fetch one file into a folder, and check it; ``unpack`` takes a tar file apart there.

    Raises:
        NotHereError: it cannot be had, or something else came instead.
    """
    import pooch

    try:
        pooch.retrieve(
            url,
            f"md5:{md5}",
            fname=url.rpartition("/")[2],
            path=folder,
            processor=pooch.Untar(extract_dir=".") if unpack else None,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=(CONNECT, READ)),
        )
    except (OSError, ValueError) as error:  # ValueError: a page of a proxy's, say, came instead of the file
        raise NotHereError(
            f"{name} is not on this machine and could not be downloaded; "
            "give its folder with --data-dir or ROBENCH_DATA, or use --dataset digits."
        ) from error


def read_official(path: Path, md5: str, most: int, what: str) -> tuple[bytes, bool]:
    """The content of a file of at most ``most`` bytes, and whether it is the official one."""
    check_data_file(path, what)
    if path.stat().st_size > most:
        raise RobenchError(f"{path} is larger than an official {what}; download it again.")
    content = path.read_bytes()
    return content, hashlib.md5(content, usedforsecurity=False).hexdigest() == md5
