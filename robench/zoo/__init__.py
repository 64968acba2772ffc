"""A name or a file -> a model, and back."""

from robench.zoo.load import benchmarks, build, find, load, load_folder, names, read_card, root, twin_name, twin_of

__all__ = ["benchmarks", "build", "find", "load", "load_folder", "names", "read_card", "root", "twin_name", "twin_of"]
