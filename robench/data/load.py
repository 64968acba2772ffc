"""One call from what the user typed to a data set."""

from pathlib import Path, PurePath

from robench.core.errors import NotHereError, RobenchError
from robench.core.files import exists, expanded, short
from robench.data import DATASETS
from robench.data.base import Dataset
from robench.data.objects import from_object

CALIBRATION = 500
"""Training images on which batch norm and activations are calibrated: statistics are then known to a few percent."""


def load_calibration(spec: object, data_dir: Path | None = None, like: Dataset | None = None) -> Dataset:
    """The first 500 training images of a data set, or all of fewer, in memory.

    Args:
        spec: as for ``load``.
        data_dir: where the user keeps data, if they said so.
        like: images that are resized on the way in are resized as those of this data set are.
    """
    training = load(spec, "train", data_dir)
    training = training.first(min(CALIBRATION, len(training)))
    return (training.like(like) if like is not None else training).in_memory()


def load(spec: object, split: str = "test", data_dir: Path | None = None) -> Dataset:
    """Load a registered data set, or an object of the user's.

    Args:
        spec: ``cifar10``, ``digits``, ``npz:FILE``, ``imagefolder:FOLDER`` or another registered data set, or, for the
            test split, an object (see ``robench.data.objects``).
        split: "test" or "train".
        data_dir: where the user keeps data, if they said so.

    Raises:
        RobenchError: there is no such data set, or it cannot be used.
    """
    if isinstance(spec, PurePath):
        spec = str(spec)
    if not isinstance(spec, str):
        if split != "test":
            raise RobenchError("this needs training images, which an object of one's own has none of; name a data set.")
        return from_object(spec)
    name, _, argument = spec.partition(":")
    if data_dir is not None and not exists(expanded(data_dir), Path.is_dir):
        raise NotHereError(f"there is no folder {short(data_dir)}; check --data-dir.")
    if name not in DATASETS and exists(expanded(Path(spec)), Path.exists):
        raise RobenchError(f"{short(spec)} is a {_form(expanded(Path(spec)))}:{short(spec)}.")
    return DATASETS[name](split, argument, data_dir)


def _form(path: Path) -> str:
    """What a path without a prefix is, and the prefix that it needs."""
    if path.is_dir():
        return "folder; say --dataset " + ("hf" if any(path.rglob("state.json")) else "imagefolder")
    known = {".npz": "npz", ".parquet": "parquet", ".npy": "npy"}
    return "file; say --dataset " + known.get(path.suffix, "npz")
