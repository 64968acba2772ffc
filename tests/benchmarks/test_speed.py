"""Speed, as ratios with both sides in one run: tox run -e bench."""

import numpy as np
import pytest
import torch
from skimage.util import random_noise

from robench.attacks.apply import perturb
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import corrupt
from robench.data.base import Dataset
from robench.runner import Task, measure
from robench.subject import Subject, to_pixels

EPSILON = 1 / 255


@pytest.fixture
def batch(digits: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    return to_pixels(digits.images[:64], torch.device("cpu")), torch.from_numpy(digits.labels[:64])


@pytest.mark.benchmark(group="PGD-20, 64 images")
class TestPgd:
    params = (("alpha", 2.5 * EPSILON / 20), ("steps", 20))

    def test_robench(self, benchmark, twn_digits: Subject, batch) -> None:
        benchmark(perturb, twn_digits.gradients, *batch, Condition("attack", "pgd", EPSILON, (("steps", 20),)), 0)

    def test_torchattacks(self, benchmark, twn_digits: Subject, batch) -> None:
        benchmark(perturb, twn_digits.model, *batch, Condition("attack", "torchattacks:PGD", EPSILON, self.params), 0)


@pytest.mark.benchmark(group="gaussian noise, 256 images")
class TestCorruption:
    def test_robench(self, benchmark, digits: Dataset) -> None:
        benchmark(corrupt, digits.images[:256], "gaussian", 3, 0)

    def test_skimage_image_by_image(self, benchmark, digits: Dataset) -> None:
        variance = CORRUPTIONS["gaussian"].amounts[2] ** 2

        def run() -> list[np.ndarray]:
            return [random_noise(image, "gaussian", var=variance) for image in digits.images[:256]]

        benchmark(run)


@pytest.mark.benchmark(group="weight noise, 256 images")
class TestDistortion:
    def test_robench(self, benchmark, twn_digits: Subject, digits: Dataset) -> None:
        task = Task(twn_digits, digits.first(256), Condition("distortion", "gaussian", 0.2), 0, 0, 256)
        benchmark(measure, task)

    def test_bare_forward_pass(self, benchmark, twn_digits: Subject, digits: Dataset) -> None:
        x = to_pixels(digits.images[:256], torch.device("cpu"))

        def run() -> torch.Tensor:
            with torch.inference_mode():
                return twn_digits.model(x)

        benchmark(run)
