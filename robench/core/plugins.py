"""Files of the user's own that register things: ``--plugin FILE``."""

import importlib.util
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

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
    if place.suffix != ".py":
        raise RobenchError(f"the plug-in {path} must be a Python file; call it {place.stem}.py.")
    name = _free_name(f"robench_plugin_{place.stem.replace('.', '_')}")
    try:
        module = run_file(name, place)
    except (Exception, SystemExit) as error:
        raise RobenchError(f"the plug-in {path}{_line(error, place)}: {_reason(error)}") from error
    _loaded[place] = module
    return module


class _FromSource(SourceFileLoader):
    """Compiles a file each time: kept bytecode is told apart by whole seconds, so that it would hide a quick edit."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of what the file says now."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def run_file(name: str, place: Path) -> ModuleType:
    """Run a Python file as a module of this name; its neighbours can be imported.

    Raises:
        Exception: whatever the file raises; the module is then forgotten.
    """
    loader = _FromSource(name, str(place))
    spec = importlib.util.spec_from_file_location(name, place, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(place.parent) not in sys.path:
        sys.path.insert(0, str(place.parent))
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def loaded_plugin(path: Path) -> ModuleType | None:
    """The module of a file that was loaded as a plug-in; it must not run twice, since it registers things."""
    return _loaded.get(path.resolve())


def loaded_plugins() -> list[Path]:
    """The files that were loaded as plug-ins, in their order."""
    return list(_loaded)


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
