"""A request that another machine can meet: the user's own files travel with it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.plugins import load_plugin, loaded_plugins
from robench.measure.request import Model, Request

LARGEST = 256 * 2**20
"""Bytes of a file that is sent along."""


@dataclass(frozen=True)
class Parcel:
    """A request, and the files that it names.

    Attributes:
        request: with absolute paths.
        files: their contents by path; those of plug-ins among them.
        plugins: which of them are plug-ins.
    """

    request: Request
    files: dict[str, bytes]
    plugins: tuple[str, ...]


def packed(request: Request) -> Parcel:
    """A request with its files.

    Raises:
        RobenchError: one of them is missing, or too large to be sent.
    """
    models = tuple(_absolute(model) for model in request.models)
    twin = _absolute(request.twin)
    assert isinstance(twin, str)
    checkpoints = tuple(path.resolve() for path in request.checkpoints)
    twin_checkpoint = request.twin_checkpoint.resolve() if request.twin_checkpoint else None
    moved = replace(request, models=models, twin=twin, checkpoints=checkpoints, twin_checkpoint=twin_checkpoint)
    plugins = tuple(str(path) for path in loaded_plugins())
    named = [_file_of(model) for model in (*models, twin)]
    paths = [
        *filter(None, named),
        *map(str, checkpoints),
        *plugins,
        *([str(twin_checkpoint)] if twin_checkpoint else []),
    ]
    return Parcel(moved, {path: _content(Path(path)) for path in dict.fromkeys(paths)}, plugins)


def unpacked(parcel: Parcel, folder: Path) -> Request:
    """The request on this machine; files that are not here are written into a folder, and plug-ins loaded.

    Args:
        parcel: from the other machine.
        folder: an empty one.
    """
    places = {}
    for number, (path, content) in enumerate(sorted(parcel.files.items())):
        place = Path(path)
        if not place.is_file() or place.read_bytes() != content:
            place = folder / str(number) / place.name
            place.parent.mkdir(parents=True)
            place.write_bytes(content)
        places[path] = place
    for plugin in parcel.plugins:
        load_plugin(places[plugin])
    request = parcel.request
    return replace(
        request,
        models=tuple(_moved(model, places) for model in request.models),
        twin=str(_moved(request.twin, places)),
        checkpoints=tuple(places[str(path)] for path in request.checkpoints),
        twin_checkpoint=places[str(request.twin_checkpoint)] if request.twin_checkpoint else None,
    )


def _parts(model: Model) -> Iterator[tuple[str, str, str]]:
    """(before the file, the file, behind it) of a model that is named by one: ``file.py:factory``, ``onnx:FILE``."""
    if isinstance(model, str) and ":" in model:
        head, _, tail = model.rpartition(":")
        if head.endswith(".py"):
            yield "", head, f":{tail}"
        elif head in ("onnx", "torchscript", "pt2"):
            yield f"{head}:", tail, ""


def _absolute(model: Model) -> Model:
    for before, file, behind in _parts(model):
        return f"{before}{Path(file).resolve()}{behind}"
    return model


def _file_of(model: Model) -> str:
    return next((file for _, file, _ in _parts(model)), "")


def _moved(model: Model, places: dict[str, Path]) -> Model:
    for before, file, behind in _parts(model):
        return f"{before}{places[file]}{behind}"
    return model


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise RobenchError(f"{path} is larger than {LARGEST:,} bytes, and is not sent to other machines.")
        return path.read_bytes()
    except OSError as error:
        raise RobenchError(f"{path} cannot be read ({error.strerror}); check the path.") from error
