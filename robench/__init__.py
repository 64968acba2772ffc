"""robench measures what low precision costs in robustness.

``load_model`` and ``evaluate`` are the face; a room's ``register`` adds a thing of your own:
``robench.corruptions.register``, ``robench.attacks.register``, ``robench.distortions.register``,
``robench.quantizers.register``, ``robench.models.register``, ``robench.data.register``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robench.api import evaluate, load_model
    from robench.core.errors import RobenchError
    from robench.core.types import ResultCard

__all__ = ["ResultCard", "RobenchError", "evaluate", "load_model"]

_HOMES = {
    "evaluate": "robench.api",
    "load_model": "robench.api",
    "ResultCard": "robench.core.types",
    "RobenchError": "robench.core.errors",
}
_ROOMS = ("attacks", "corruptions", "data", "distortions", "models", "quantizers")


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import robench`` costs nothing."""
    if name in _ROOMS:
        return import_module(f"robench.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'robench' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
