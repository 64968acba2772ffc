"""Files of the user's own that register things: ``--plugin FILE``."""

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from robench.core.errors import NotHereError, RobenchError

_loaded: dict[Path, ModuleType] = {}


def load_plugin(path: Path) -> ModuleType:
    """Run a Python file, once; its decorators add what it brings, and its neighbours can be imported.

    Raises:
        RobenchError: there is no such file, or it fails: one sentence with the file, the line and the reason.
    """
    place = path.resolve()
    if place in _loaded:
        return _loaded[place]
    if not place.is_file():
        raise NotHereError(f"there is no plug-in {path}; check the path.")
    name = _free_name(f"robench_plugin_{place.stem.replace('.', '_')}")
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise RobenchError(f"the plug-in {path} must be a Python file; call it {place.stem}.py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(place.parent) not in sys.path:
        sys.path.insert(0, str(place.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RobenchError(f"the plug-in {path}{_line(error, place)}: {_reason(error)}") from error
    _loaded[place] = module
    return module


def loaded_plugin(path: Path) -> ModuleType | None:
    """The module of a file that was loaded as a plug-in; it must not run twice, since it registers things."""
    return _loaded.get(path.resolve())


def _free_name(name: str) -> str:
    """The name, which is that of the last run as well, or where another file has it, one with a number."""
    free = (f"{name}{number or ''}" for number in range(len(sys.modules) + 1))
    return next(candidate for candidate in free if candidate not in sys.modules)


def _line(error: BaseException, place: Path) -> str:
    """Where in the file it failed: in the deepest call that is written there."""
    if isinstance(error, SyntaxError) and error.filename == str(place):
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(place)]
    return f", line {lines[-1]}" if lines else ""


def _reason(error: BaseException) -> str:
    first = (str(error.msg if isinstance(error, SyntaxError) else error).strip() or "no message").splitlines()[0][:300]
    return first if isinstance(error, RobenchError) else f"{type(error).__name__}: {first}"
