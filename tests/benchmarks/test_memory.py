"""Peak memory of a whole command, and that it does not grow with the number of images but for the images themselves."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from robench import evaluate
evaluate("twn_resnet20", suite="quick", n_images=int(sys.argv[1]), data_dir=sys.argv[2] or None, store=sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(images: int, store: str) -> str:
    folder = os.environ.get("ROBENCH_DATA", "")
    words = [sys.executable, "-c", SCRIPT, str(images), folder, store]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return f"{done.stdout.split()[-1]} MiB"


@pytest.mark.benchmark(group="peak memory of quick, twn_resnet20")
class TestMemory:
    def test_200_images(self, benchmark, tmp_path) -> None:
        benchmark.extra_info["found"] = benchmark.pedantic(peak, (200, str(tmp_path / "store")), rounds=1)

    def test_1000_images(self, benchmark, tmp_path) -> None:
        benchmark.extra_info["found"] = benchmark.pedantic(peak, (1000, str(tmp_path / "store")), rounds=1)
