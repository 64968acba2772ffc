"""Data sets in, arrays and a fingerprint out."""

from robench.core.registry import Registry
from robench.data.base import Dataset, Source

DATASETS: Registry[Source] = Registry("dataset", "robench.data")
register = DATASETS.register

__all__ = ["DATASETS", "Dataset", "register"]
