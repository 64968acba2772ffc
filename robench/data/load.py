"""One call from what the user typed to a data set."""

from pathlib import Path

from robench.data import DATASETS
from robench.data.base import Dataset


def load(spec: str, split: str = "test", data_dir: Path | None = None) -> Dataset:
    """Load ``cifar10``, ``digits``, ``npz:PATH``, ``imagefolder:PATH`` or another registered data set."""
    name, _, argument = spec.partition(":")
    return DATASETS[name](split, argument, data_dir)
