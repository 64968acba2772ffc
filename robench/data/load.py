"""One call from what the user typed to a data set."""

from pathlib import Path

from robench.core.errors import NotHereError
from robench.core.files import exists, expanded, short
from robench.data import DATASETS
from robench.data.base import Dataset

CALIBRATION = 500
"""Training images on which batch norm and activations are calibrated: statistics are then known to a few percent."""


def load_calibration(spec: str, data_dir: Path | None = None) -> Dataset:
    """The first 500 training images of a data set, or all of fewer."""
    training = load(spec, "train", data_dir)
    return training.first(min(CALIBRATION, len(training)))


def load(spec: str, split: str = "test", data_dir: Path | None = None) -> Dataset:
    """Load ``cifar10``, ``digits``, ``npz:PATH``, ``imagefolder:PATH`` or another registered data set."""
    name, _, argument = spec.partition(":")
    if data_dir is not None and not exists(expanded(data_dir), Path.is_dir):
        raise NotHereError(f"there is no folder {short(data_dir)}; check --data-dir.")
    return DATASETS[name](split, argument, data_dir)
