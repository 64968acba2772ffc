"""robench measures what low precision costs in robustness.

``load_model``, ``evaluate`` and ``compare`` are the Python functions; ``Classifier`` puts normalisation in front of a
network. The ``register`` of a subpackage adds a plug-in of your own: ``robench.corruptions.register``,
``robench.attacks.register``, ``robench.distortions.register``, ``robench.quantizers.register``,
``robench.architectures.register``, ``robench.data.register``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robench.api import compare, evaluate, load_model
    from robench.core.errors import RobenchError
    from robench.core.types import ResultCard
    from robench.engine.classifier import Classifier

    __version__: str

__all__ = ["Classifier", "ResultCard", "RobenchError", "__version__", "compare", "evaluate", "load_model"]

_HOMES = {
    "Classifier": "robench.engine.classifier",
    "compare": "robench.api",
    "evaluate": "robench.api",
    "load_model": "robench.api",
    "ResultCard": "robench.core.types",
    "RobenchError": "robench.core.errors",
}
_PLUGINS = ("architectures", "attacks", "corruptions", "data", "distortions", "quantizers")


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import robench`` costs nothing."""
    if name in _PLUGINS:
        return import_module(f"robench.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("robench")
    if name not in _HOMES:
        raise AttributeError(f"module 'robench' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What there is, imported or not."""
    return sorted([*__all__, *_PLUGINS])
