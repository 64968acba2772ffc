"""No test may hang: it would take the time of all others with it."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_a_test_that_hangs_fails_with_its_name(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    assert 0 < float(pytestconfig.getini("timeout")) <= 120
    (tmp_path / "test_one.py").write_text("import time\ndef test_that_hangs():\n    time.sleep(60)\n")
    settings = f"-c {pytestconfig.inipath} --rootdir {tmp_path} -p no:cacheprovider -o timeout=1".split()
    words = [sys.executable, "-m", "pytest", *settings, str(tmp_path / "test_one.py")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "test_one.py::test_that_hangs" in done.stdout.splitlines()[-2]
    assert "Timeout" in done.stdout
