"""The application that every command joins, how errors look, and with which status a command ends."""

import errno
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from robench.cli import BAD_INPUT, INTERRUPTED, OWN_FAULT, TERMINATED
from robench.cli.help import Command, Group, epilog
from robench.core.errors import RobenchError, RobenchWarning
from robench.core.files import expanded
from robench.core.plugins import load_plugin

app = typer.Typer(
    cls=Group,
    help="What does low precision cost in robustness? Binary, ternary and integer networks against full precision.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Names and paths are not markup: square brackets in them are square brackets.
results = Console(markup=False, highlight=False)
messages = Console(stderr=True, markup=False, highlight=False)

DataDir = Annotated[
    Path | None, typer.Option(help="Where CIFAR-10, CIFAR-100, MNIST are; else $ROBENCH_DATA, the cache, a download.")
]
Conditions = Annotated[
    list[str] | None, typer.Option(help="Only these, such as 'attack/*' or '*/gaussian'; may be repeated.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file of yours that registers things; it is run (repeatable)."),
]
Zoo = Annotated[
    Path | None, typer.Option("--zoo", help="A zoo of your own; models are looked for there first, see docs/boards.md.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the code that a model's folder brings; read it first.")]


def patterns(conditions: list[str] | None) -> str:
    """What ``Conditions`` gave, for ``Condition.matches``; everything where nothing was said."""
    return ",".join(conditions or ["*"])


class Terminated(KeyboardInterrupt):
    """A request to end from outside, such as a scheduler's: what Ctrl-C does."""


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        results.print(f"robench {version('robench')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    pass


def command(function: Callable[..., None], group: typer.Typer = app) -> Callable[..., None]:
    """Register a command.

    A leading ``~`` in a path that it takes is the home directory; files that it takes as ``plugin`` are loaded first;
    a folder that it takes as ``zoo`` is in front of the other zoos; whatever happens in it ends in one sentence and a
    status, see ``one_way_out``.
    """

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        with one_way_out():
            values = {name: expanded(value) if isinstance(value, Path) else value for name, value in kwargs.items()}
            plugins: list[Path] = kwargs.get("plugin") or []
            for file in plugins:
                load_plugin(expanded(file))
            with _in_front(values.get("zoo")):
                function(*args, **values)

    name = function.__name__.rstrip("_")
    place = name if group is app else f"{group.info.name} {name}"
    group.command(name=name, cls=Command, epilog=epilog(place))(guarded)
    return guarded


@contextmanager
def _in_front(folder: Path | None) -> Iterator[None]:
    """Models are looked for in a folder first; without one, nothing is imported."""
    if folder is None:
        yield
        return
    from robench import zoo

    with zoo.in_front(folder):
        yield


@contextmanager
def one_way_out() -> Iterator[None]:
    """Turn every exception of the block into one sentence and an exit status.

    A ``RobenchError`` ends with status 2, Ctrl-C with 130, a request to end with 143. Anything else is a fault of
    robench's: its traceback goes to a file, and the status is 70.
    """
    with _ended_by_signals(), _warnings_in_sentences():
        try:
            yield
        except RobenchError as error:
            say_error(str(error))
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            say("stopped; what was finished is kept, and the same command goes on from there.")
            raise typer.Exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise
        except MemoryError as error:
            say_error("there is not enough memory for this; use fewer or smaller images, or a smaller --batch-size.")
            raise typer.Exit(BAD_INPUT) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has gone; typer ends quietly
                raise
            say_error(f"{_place(error)}{error.strerror or error}.")
            raise typer.Exit(BAD_INPUT) from error
        except Exception as error:  # the last resort, so that nobody reads a traceback
            say_error(
                f"this is a fault of robench's, {type(error).__name__}; please report it with {_written(error)}. "
                "What was measured is kept, and the same command goes on from there."
            )
            raise typer.Exit(OWN_FAULT) from error


def _place(error: OSError) -> str:
    return f"{error.filename}: " if error.filename else "the output cannot be written: "


def _written(error: Exception) -> str:
    """Write a traceback to a file; gives its path."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="robench-", suffix=".traceback.txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(f"robench {' '.join(sys.argv[1:])}\n\n")
        traceback.print_exception(error, file=file)
    return file.name


@contextmanager
def _warnings_in_sentences() -> Iterator[None]:
    """Robench's own warnings are told like everything else, as long as the block lasts."""
    show = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, RobenchWarning):
            say(f"warning: {message}")
        else:
            show(message, category, *place, **more)

    warnings.showwarning = tell
    try:
        yield
    finally:
        warnings.showwarning = show


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A request to end (SIGTERM, or SIGHUP where there is one) as an exception, as long as the block lasts."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        before = [(number, signal.signal(number, end)) for number in numbers]
    except ValueError:  # not the main thread, which alone hears of signals
        before = []
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def say(text: str) -> None:
    """Tell the user something; what a command was asked for goes to ``results`` instead."""
    messages.print(text, soft_wrap=True)


def say_error(text: str) -> None:
    """Tell the user what is wrong."""
    one_line = " ".join(text.split())
    messages.print(Text.assemble(("error:", "bold red"), " ", one_line), soft_wrap=True)
