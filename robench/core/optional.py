"""Heavy libraries, imported where they are used, with one sentence when that fails."""

import importlib
from types import ModuleType

from robench.core.errors import RobenchError


def import_optional(name: str, install: str = "") -> ModuleType:
    """Import a library that only some commands need.

    Args:
        name: of the module.
        install: the line that installs the library, where it is not ``pip install`` and the name of what is missing.

    Raises:
        RobenchError: it is missing, or does not fit the torch that is installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        own = install and missing.partition(".")[0] == name.partition(".")[0]
        raise RobenchError(
            f"{name} needs the package {missing}; run: {install if own else f'pip install {missing}'}"
        ) from error
    except (ImportError, RuntimeError, OSError) as error:
        if "torchvision" in str(error):
            raise RobenchError(
                f"{name} needs torchvision, and the one installed was built for another torch ({error}); install a "
                "matching pair: pip install -c constraints.txt torch torchvision"
            ) from error
        raise RobenchError(f"{name} cannot be imported: {error}") from error
