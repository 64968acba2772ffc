"""The example notebook runs, and shows what it promises."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "example.ipynb"
SHOW = """
def _show(thing):
    html = getattr(thing, "_repr_html_", None)
    print("<<<", html() if html else repr(thing), ">>>")
"""


def cells() -> list[ast.Module]:
    found = json.loads(NOTEBOOK.read_text())["cells"]
    return [ast.parse("".join(cell["source"])) for cell in found if cell["cell_type"] == "code"]


def as_shown(cell: ast.Module) -> ast.Module:
    """The cell with its last expression shown, as a notebook does."""
    last = cell.body[-1]
    if isinstance(last, ast.Expr):
        cell.body[-1] = ast.Expr(ast.Call(ast.Name("_show", ast.Load()), [last.value], []))
    return ast.fix_missing_locations(cell)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the cells show, in a process of their own: they register an attack."""
    folder = tmp_path_factory.mktemp("notebook")
    script = folder / "example.py"
    script.write_text("\n".join([SHOW, *(ast.unparse(as_shown(cell)) for cell in cells())]))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_notebook_runs_and_shows_cards_and_frames(shown: str) -> None:
    assert "<<< torch.Size([2, 10]) >>>" in shown
    assert "<h4>twn_resnet20: quick version" in shown
    assert "<h4>mine" in shown
    assert shown.count("<table") >= 5  # of two cards two each, and of two frames
    assert "corners" in shown


def test_the_notebook_is_kept_without_outputs() -> None:
    found = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in found)
