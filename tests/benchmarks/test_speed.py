"""Speed, as ratios with both sides in one run: tox run -e bench. The first of each group is robench."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.util import random_noise

from robench.attacks import ImageStreams
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import corrupt
from robench.data.base import Dataset
from robench.runner import Task, measure
from robench.subject import Subject, to_pixels

GRID = tuple(epsilon / 255 for epsilon in (0.25, 0.5, 1, 2, 4, 8))
STEPS = 20
BATCH = 1024


def once(benchmark, run) -> None:
    """Time one run of something long, and keep what it found."""
    benchmark.extra_info["standing"] = benchmark.pedantic(run, rounds=1)


def fresh(subject: Subject) -> Subject:
    """Without what earlier runs found out."""
    return replace(subject, memory={})


def robench_pgd(subject: Subject, images: Dataset, grid: tuple[float, ...]) -> list[int]:
    subject = fresh(subject)
    pgd = Condition("attack", "pgd", None, (("steps", STEPS),), grid=grid if len(grid) > 1 else ())
    return [measure(Task(subject, images, replace(pgd, level=level), 0, 0, BATCH)).correct for level in grid]


def torchattacks_pgd(subject: Subject, images: Dataset, grid: tuple[float, ...]) -> list[int]:
    """As its README says: the bare model, one attack object for each epsilon; batches of 256."""
    import torchattacks

    model = subject.model.model
    x, y = to_pixels(images.images, torch.device("cpu")), torch.from_numpy(images.labels)
    standing = []
    for epsilon in grid:
        torch.manual_seed(0)
        attack = torchattacks.PGD(model, eps=epsilon, alpha=2.5 * epsilon / STEPS, steps=STEPS)
        parts = zip(x.split(256), y.split(256), strict=True)
        with torch.enable_grad():
            standing.append(sum(int((model(attack(a, b)).argmax(1) == b).sum()) for a, b in parts))
    return standing


@pytest.mark.benchmark(group="PGD-20 at six epsilons, fp_resnet20")
class TestPgdGrid:
    def test_robench(self, benchmark, standard: Subject, images: Dataset) -> None:
        once(benchmark, lambda: robench_pgd(standard, images, GRID))

    def test_torchattacks(self, benchmark, standard: Subject, images: Dataset) -> None:
        once(benchmark, lambda: torchattacks_pgd(standard, images, GRID))


@pytest.mark.benchmark(group="PGD-20 at 8/255, at_fp_resnet20")
class TestPgdOnAdversariallyTrained:
    def test_robench(self, benchmark, adversarial: Subject, images: Dataset) -> None:
        once(benchmark, lambda: robench_pgd(adversarial, images, GRID[-1:]))

    def test_torchattacks(self, benchmark, adversarial: Subject, images: Dataset) -> None:
        once(benchmark, lambda: torchattacks_pgd(adversarial, images, GRID[-1:]))


@pytest.mark.benchmark(group="APGD-CE, APGD-T and Square at 8/255, 64 images, at_fp_resnet20")
class TestCascade:
    epsilon = GRID[-1]

    def test_robench(self, benchmark, adversarial: Subject, images: Dataset) -> None:
        data = images.first(64)
        attack = Condition("attack", "robench_aa", self.epsilon)
        once(benchmark, lambda: measure(Task(fresh(adversarial), data, attack, 0, 0, BATCH)).correct)

    def test_torchattacks(self, benchmark, adversarial: Subject, images: Dataset) -> None:
        import torchattacks

        model = adversarial.model.model
        x, y = to_pixels(images.images[:64], torch.device("cpu")), torch.from_numpy(images.labels[:64])
        parts = [
            torchattacks.APGD(model, eps=self.epsilon, steps=100),
            torchattacks.APGDT(model, eps=self.epsilon, steps=100, n_classes=10),
            torchattacks.Square(model, eps=self.epsilon, n_queries=5000),
        ]

        def run() -> int:
            torch.manual_seed(0)
            with torch.enable_grad():
                return int((model(torchattacks.MultiAttack(parts)(x, y)).argmax(1) == y).sum())

        once(benchmark, run)


@pytest.mark.benchmark(group="gaussian, poisson, salt and pepper, speckle on 256 images")
class TestCorruption:
    def test_robench(self, benchmark, digits: Dataset) -> None:
        part = digits.images[:256]
        benchmark(lambda: [corrupt(part, name, 3, 0) for name in CORRUPTIONS])

    def test_skimage_image_by_image(self, benchmark, digits: Dataset) -> None:
        amounts = {name: CORRUPTIONS[name].amounts[2] for name in CORRUPTIONS}
        settings = [
            {"mode": "gaussian", "var": amounts["gaussian"] ** 2},
            {"mode": "poisson"},
            {"mode": "s&p", "amount": amounts["salt_and_pepper"]},
            {"mode": "speckle", "var": amounts["speckle"] ** 2},
        ]
        benchmark(lambda: [random_noise(image, **setting) for setting in settings for image in digits.images[:256]])


@pytest.mark.benchmark(group="random numbers for a batch of 64 images")
class TestStreams:
    def test_keyed_by_image(self, benchmark) -> None:
        like = torch.zeros(64, 3, 32, 32)
        streams = ImageStreams([np.random.Generator(np.random.Philox(index)) for index in range(64)])
        benchmark(streams.uniform, like)

    def test_torch_rand(self, benchmark) -> None:
        benchmark(torch.rand, 64, 3, 32, 32)


@pytest.mark.benchmark(group="weight noise, 256 images")
class TestDistortion:
    def test_robench(self, benchmark, standard: Subject, images: Dataset) -> None:
        task = Task(standard, images, Condition("distortion", "gaussian", 0.2), 0, 0, BATCH)
        benchmark(measure, task)

    def test_bare_forward_pass(self, benchmark, standard: Subject, images: Dataset) -> None:
        x = to_pixels(images.images, torch.device("cpu"))

        def run() -> torch.Tensor:
            with torch.inference_mode():
                return standard.model(x)

        benchmark(run)
