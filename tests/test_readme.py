"""The README's table is what the published cards give."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "docs" / "readme_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.readme_table() in (ROOT / "README.md").read_text(), "run: python docs/readme_table.py"
