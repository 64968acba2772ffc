"""A name or a file -> a model, and back."""

from robench.zoo.load import (
    benchmarks,
    build,
    find,
    load,
    load_folder,
    names,
    read_card,
    root,
    takes_checkpoint,
    twin_name,
    twin_of,
    with_checkpoint,
)

__all__ = [
    "benchmarks",
    "build",
    "find",
    "load",
    "load_folder",
    "names",
    "read_card",
    "root",
    "takes_checkpoint",
    "twin_name",
    "twin_of",
    "with_checkpoint",
]
