"""Imports run one way: this table is the architecture."""

import ast
import subprocess
import sys
from pathlib import Path

import robench

PACKAGE = Path(robench.__file__).parent
LAYERS = [
    {"core"},
    {"data"},
    {"architectures", "quantizers", "suites"},
    {"engine"},
    {"formats"},
    {path.parent.name for path in PACKAGE.glob("*/kind.py")},
    {"zoo", "results"},
    {"training", "measure", "site"},
    {"api", "proof", "studies"},
]
"""From the lowest: a package imports packages of the layers below its own, and none beside it."""
TOP = {"cli", "__init__", "__main__"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "robench":
            rooms |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("robench."):
            rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("robench.")}
    return rooms


def test_every_package_imports_only_from_the_layers_below() -> None:
    below: set[str] = set()
    for layer in LAYERS:
        for name in layer:
            path = PACKAGE / name
            for file in path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
                extra = imported_rooms(file) - below - {name}
                assert not extra, f"{file.relative_to(PACKAGE)} imports {extra}"
        below |= layer


def test_every_package_has_a_layer() -> None:
    found = {room(path) for path in PACKAGE.rglob("*.py")} - TOP
    assert found == set.union(*LAYERS)


def test_results_are_rendered_without_torch() -> None:
    code = (
        "import sys, pathlib; from robench.results import cards, markdown;"
        "markdown.leaderboard([cards.read(pathlib.Path(sys.argv[1]))]); print('torch' in sys.modules)"
    )
    card = Path(__file__).parents[1] / "leaderboards" / "cards" / "twn_resnet20.digits.robench-v1.json"
    done = subprocess.run([sys.executable, "-c", code, str(card)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_only_the_command_line_prints() -> None:
    for path in PACKAGE.rglob("*.py"):
        if room(path) != "cli":
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            assert not any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls), path
