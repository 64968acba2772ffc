"""A name or a file -> a model, and back."""

from robench.zoo.load import (
    benchmarks,
    build,
    load,
    load_folder,
    read_card,
    takes_checkpoint,
    twin_name,
    twin_of,
    with_checkpoint,
)
from robench.zoo.places import find, folders, in_front, names, root, roots

__all__ = [
    "benchmarks",
    "build",
    "find",
    "folders",
    "in_front",
    "load",
    "load_folder",
    "names",
    "read_card",
    "root",
    "roots",
    "takes_checkpoint",
    "twin_name",
    "twin_of",
    "with_checkpoint",
]
