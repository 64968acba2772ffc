"""Help that helps: every command, every option."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from robench.cli.help import EXAMPLES, METAVARS, PANELS
from robench.cli.main import app

PARTS = r"[\s│╭╮╰╯─]"
TYPES = {"TEXT", "STR", "INTEGER", "INT", "FLOAT", "BOOLEAN", "PATH", "LIST"}
"""What says of a value no more than its type."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def command(path: tuple[str, ...]) -> Any:
    found = typer.main.get_command(app)
    for name in path:
        found = found.commands[name]
    return found


def help_of(path: tuple[str, ...], width: int = 80) -> str:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    return result.stdout


def test_all_commands_are_walked() -> None:
    assert {("evaluate",), ("zoo", "add"), ("table",), ("cite",)} < set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_metavars_mean_something_and_every_word_of_help_is_shown(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert not re.findall(r"<[a-z][^>]*>", text)
    assert max(map(len, text.splitlines())) <= 80
    told = re.sub(PARTS, "", help_of(path, 300))
    for parameter in command(path).params:
        assert parameter.help, parameter.name
        assert re.sub(PARTS, "", parameter.help.replace("\\[", "[")) in told


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_parameter_has_a_metavar_unless_it_is_a_flag(path: tuple[str, ...]) -> None:
    help_of(path)
    for parameter in command(path).get_params(typer.Context(command(path))):
        assert bool(parameter.metavar) != getattr(parameter, "is_flag", False), parameter.name
        assert parameter.metavar not in TYPES


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in ((), ("zoo",))], ids=" ".join)
def test_a_command_has_examples_that_it_understands(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert EXAMPLES.get(" ".join(path)), "add examples to robench/cli/help.py"
    for example in EXAMPLES[" ".join(path)]:
        assert f"   {example}\n" in re.sub(" +\n", "\n", text)
        assert example.startswith(f"robench {' '.join(path)}")
        known = {name for parameter in command(path).params for name in parameter.opts}
        assert set(re.findall(r"(?<= )--[a-z-]+", example)) <= known


def test_options_stand_in_groups() -> None:
    text = help_of(("evaluate",))
    places = [text.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    output = text[places[-1] :]
    assert all(option in output for option in ("--out", "--publish", "--json", "--full"))


def test_a_named_parameter_is_one_of_a_command() -> None:
    names = {parameter.name for path in COMMANDS for parameter in command(path).params}
    assert set(METAVARS) <= names
    assert {name for panel in PANELS.values() for name in panel} <= names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands_and_options(shell: str) -> None:
    words = {"_TYPER_COMPLETE_ARGS": "robench ev", "COMP_WORDS": "robench ev", "COMP_CWORD": "1"}
    env = {"_ROBENCH_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **words}
    result = CliRunner().invoke(app, [], prog_name="robench", env=env)
    assert "evaluate" in result.stdout
    script = CliRunner().invoke(app, [], prog_name="robench", env={"_ROBENCH_COMPLETE": f"source_{shell}"})
    assert "_ROBENCH_COMPLETE" in script.stdout
