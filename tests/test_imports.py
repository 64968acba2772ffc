"""Imports run one way: this table is the architecture."""

import ast
from pathlib import Path

import robench

PACKAGE = Path(robench.__file__).parent
LOW = {"core"}
MAY_IMPORT = {
    "core": set(),
    "data": LOW,
    "models": LOW,
    "quantizers": LOW,
    "corruptions": LOW,
    "suites": LOW,
    "stats": LOW,
    "store": LOW,
    "attacks": LOW | {"models"},
    "distortions": LOW | {"models"},
    "subject": LOW | {"data", "models"},
    "search": LOW | {"attacks", "data", "models", "subject"},
    "checks": LOW | {"attacks", "models"},
    "cards": LOW | {"store"},
    "report": LOW | {"cards", "stats"},
    "hub": LOW,
    "zoo": LOW | {"hub", "models", "quantizers"},
    "shipping": LOW | {"checks", "data", "models", "quantizers", "subject", "zoo"},
    "training": LOW | {"attacks", "data", "distortions", "models", "quantizers", "shipping", "subject"},
    "runner": LOW | {"attacks", "checks", "corruptions", "data", "distortions", "models", "search", "subject"},
    "evaluation": LOW | {"data", "models", "runner", "store", "subject", "zoo"},
    "studies": LOW | {"api", "cards", "data", "distortions", "models", "report", "runner", "stats", "subject"},
    "api": LOW | {"data", "evaluation", "runner", "store", "subject", "suites", "zoo"},
}
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


def test_every_room_imports_only_what_the_table_allows() -> None:
    for path in PACKAGE.rglob("*.py"):
        if room(path) not in TOP:
            extra = imported_rooms(path) - MAY_IMPORT[room(path)] - {room(path)}
            assert not extra, f"{path.relative_to(PACKAGE)} imports {extra}"


def test_reports_never_import_torch() -> None:
    for name in ("report", "cards.py", "stats.py", "store.py", "core"):
        path = PACKAGE / name
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            assert "import torch" not in file.read_text(), file


def test_only_the_command_line_prints() -> None:
    for path in PACKAGE.rglob("*.py"):
        if room(path) != "cli":
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            assert not any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls), path
