"""The application that every command joins, and how errors look."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from robench.core.errors import RobenchError

app = typer.Typer(
    help="What does low precision cost in robustness? Binary, ternary and integer networks against full precision.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
results = Console()
messages = Console(stderr=True)

DataDir = Annotated[Path | None, typer.Option(help="Where CIFAR-10 is; else $ROBENCH_DATA, the cache, a download.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        results.print(f"robench {version('robench')}", highlight=False)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    pass


def command(function: Callable[..., None], group: typer.Typer = app) -> Callable[..., None]:
    """Register a command whose RobenchErrors become one sentence and status 2, and whose Ctrl-C becomes status 130."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except RobenchError as error:
            messages.print(f"[bold red]error:[/] {escaped(str(error))}", soft_wrap=True, highlight=False)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            messages.print("stopped; what was finished is kept, and the same command goes on from there.")
            raise typer.Exit(130) from None

    group.command(name=function.__name__.rstrip("_"))(guarded)
    return guarded


def escaped(text: str) -> str:
    """Text in which square brackets are not rich's markup."""
    return text.replace("[", r"\[")
