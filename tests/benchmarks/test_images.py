"""Images on the disk: peak memory of an evaluation is the same for 200 and for 5,000 of 224x224 pixels."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = """
import resource, sys
import torch
from torch import nn
import robench
torch.manual_seed(0)
pooled = nn.AdaptiveAvgPool2d(4)
module = nn.Sequential(nn.Conv2d(3, 8, 7, 4), nn.BatchNorm2d(8), nn.ReLU(), pooled, nn.Flatten(), nn.Linear(128, 2))
count = int(sys.argv[2])
robench.evaluate(module, f"imagefolder:{sys.argv[1]}", "quick", conditions="corruption/gaussian", n_images=count)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
TOLERATED = 1.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 photos of 224x224 pixels."""
    root = tmp_path_factory.mktemp("photos")
    waves = np.add.outer(np.arange(224), np.arange(224))[..., None] * np.array([1.0, 0.7, 1.3])
    for index in range(5000):
        photo = (127 + 120 * np.sin(waves / (7 + index % 40))).astype(np.uint8)
        (root / "ab"[index % 2]).mkdir(exist_ok=True)
        Image.fromarray(photo).save(root / "ab"[index % 2] / f"{index:04}.jpg")
    return root


def peak(folder: Path, images: int) -> int:
    """MiB of a process that evaluates so many of them."""
    words = [sys.executable, "-c", SCRIPT, str(folder), str(images)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


@pytest.mark.benchmark(group="peak memory of an evaluation of JPEG files")
def test_memory_does_not_grow_with_the_number_of_images(folder: Path, benchmark) -> None:
    few = peak(folder, 200)
    many = benchmark.pedantic(peak, (folder, 5000), rounds=1)
    benchmark.extra_info["found"] = f"{few} MiB for 200 images, {many} MiB for 5,000"
    assert many <= TOLERATED * few
