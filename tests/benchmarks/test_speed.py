"""Speed, as ratios with both sides in one run: tox run -e bench. The first of each group is robench."""

import copy
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torchattacks
from skimage.util import random_noise
from torch import nn

from robench.attacks import ATTACKS, ImageStreams
from robench.attacks.search import Search
from robench.attacks.toolbox import loss_and_gradient
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import amount_of, corrupt
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.loaded import LoadedModel, from_module
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.engine.verdict import to_pixels
from robench.measure.measure import measure

Load = Callable[[str], LoadedModel]
Prepared = Callable[[LoadedModel], ModelUnderTest]
GRID = tuple(epsilon / 255 for epsilon in (0.25, 0.5, 1, 2, 4, 8))
STEPS = 20
BATCH = 1024
CASCADED = 64
THREADS = torch.get_num_threads()
BLOCKS = ((32, 1), (64, 1), (256, 1), (8, THREADS), (16, THREADS), (32, THREADS), (64, THREADS))
"""Their size, and how many are computed at once."""


def once(benchmark, run) -> None:
    """Time one run of something long, and keep what it found."""
    benchmark.extra_info["found"] = benchmark.pedantic(run, rounds=1)


def fresh(subject: ModelUnderTest) -> ModelUnderTest:
    """Without what earlier runs found out."""
    return replace(subject, memory={})


def robench_pgd(subject: ModelUnderTest, images: Dataset, grid: tuple[float, ...]) -> list[int]:
    subject = fresh(subject)
    pgd = Condition("attack", "pgd", None, (("steps", STEPS),), grid=grid if len(grid) > 1 else ())
    return [measure(Task(subject, images, replace(pgd, level=level), 0, 0, BATCH)).correct for level in grid]


def torchattacks_pgd(model: nn.Module, images: Dataset, grid: tuple[float, ...]) -> list[int]:
    """As its README says: the bare model, one attack object for each epsilon; batches of 256."""
    x, y = to_pixels(images.images, torch.device("cpu")), torch.from_numpy(images.labels)
    standing = []
    for epsilon in grid:
        torch.manual_seed(0)
        attack = torchattacks.PGD(model, eps=epsilon, alpha=2.5 * epsilon / STEPS, steps=STEPS)
        parts = zip(x.split(256), y.split(256), strict=True)
        with torch.enable_grad():
            standing.append(sum(int((model(attack(a, b)).argmax(1) == b).sum()) for a, b in parts))
    return standing


class BothSides:
    """PGD by robench and by torchattacks, on one model over one grid, from the file on."""

    model = "fp_resnet20"
    grid = GRID

    def test_robench(self, benchmark, images: Dataset, load: Load, prepared: Prepared) -> None:
        benchmark.extra_info["images"] = f"{len(images)} of {images.name}, {images.source}"
        once(benchmark, lambda: robench_pgd(prepared(load(self.model)), images, self.grid))

    def test_torchattacks(self, benchmark, images: Dataset, load: Load) -> None:
        once(benchmark, lambda: torchattacks_pgd(load(self.model).module.requires_grad_(False), images, self.grid))


@pytest.mark.benchmark(group="PGD-20 at six epsilons, fp_resnet20")
class TestPgdGrid(BothSides):
    pass


@pytest.mark.benchmark(group="PGD-20 at six epsilons, at_fp_resnet20")
class TestPgdGridOnAdversariallyTrained(BothSides):
    model = "at_fp_resnet20"


@pytest.mark.benchmark(group="PGD-20 at 8/255 alone, at_fp_resnet20")
class TestPgdOnAdversariallyTrained(BothSides):
    model = "at_fp_resnet20"
    grid = GRID[-1:]


class WinnersTakeAll(nn.Module):
    """Keeps the larger half of the activations, and jumps where that changes (Xiao et al. 2020, arXiv:1905.10510)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        least = flat.topk(flat.shape[1] // 2, dim=1).values[:, -1]
        return x * (x >= least.view(-1, *[1] * (x.dim() - 1)))


def winners_take_all(loaded: LoadedModel) -> LoadedModel:
    """The network with such activations in place of ReLU, as a model of somebody's own."""
    model = copy.deepcopy(loaded.module).requires_grad_(False)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(parent, name, WinnersTakeAll())
    return from_module(model, "winners_take_all")


@pytest.mark.benchmark(group=f"PGD-20 at 8/255, k winners take all, first {CASCADED} images")
class TestUnpredictable:
    """A model that cannot be traced or predicted: no slower than three times the library."""

    grid = GRID[-1:]
    model = "tr_none_nc"

    def test_robench(self, benchmark, images: Dataset, load: Load, prepared: Prepared) -> None:
        data = images.first(CASCADED)
        once(benchmark, lambda: robench_pgd(prepared(winners_take_all(load(self.model))), data, self.grid))

    def test_torchattacks(self, benchmark, images: Dataset, load: Load) -> None:
        data = images.first(CASCADED)
        once(benchmark, lambda: torchattacks_pgd(winners_take_all(load(self.model)).module, data, self.grid))


@pytest.mark.benchmark(group="PGD-20 at six epsilons, fp_resnet20, at most 200 images")
class TestTricks:
    """What each trick gives: robench against itself without it."""

    def test_robench(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        once(benchmark, lambda: robench_pgd(standard, few, GRID))

    def test_without_the_search(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        once(benchmark, lambda: [robench_pgd(standard, few, (level,)) for level in GRID])

    def test_without_scaling_perturbations(
        self, benchmark, standard: ModelUnderTest, few: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Search, "_scale", lambda *attempt: None)
        once(benchmark, lambda: robench_pgd(standard, few, GRID))

    def test_without_resuming(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        with ATTACKS.temporarily("pgd", replace(ATTACKS["pgd"], resume=None)):
            once(benchmark, lambda: robench_pgd(standard, few, GRID))

    def test_all_steps(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        patient = replace(standard, early_stopping=False)
        once(benchmark, lambda: robench_pgd(patient, few, GRID))

    def test_gradients_in_float32(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        float32 = replace(standard, gradients=standard.exact)
        once(benchmark, lambda: robench_pgd(float32, few, GRID))

    def test_blocks_one_after_the_other(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        exact = Blocked(standard.exact.model)
        serial = replace(standard, exact=exact, gradients=Blocked(standard.gradients.model, exact=exact))
        once(benchmark, lambda: robench_pgd(serial, few, GRID))

    def test_the_bare_model_in_float32(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        bare = replace(standard, exact=standard.original, gradients=standard.original)
        once(benchmark, lambda: robench_pgd(bare, few, GRID))


@pytest.mark.benchmark(group=f"APGD-CE, APGD-T and Square at 8/255, first {CASCADED} images, at_fp_resnet20")
class TestCascade:
    epsilon = GRID[-1]

    def test_robench(self, benchmark, adversarial: ModelUnderTest, images: Dataset) -> None:
        data = images.first(CASCADED)
        attack = Condition("attack", "robench_aa", self.epsilon)
        once(benchmark, lambda: measure(Task(fresh(adversarial), data, attack, 0, 0, BATCH)).correct)

    def test_torchattacks(self, benchmark, adversarial: ModelUnderTest, images: Dataset) -> None:
        model = adversarial.original.model
        x, y = to_pixels(images.images[:CASCADED], torch.device("cpu")), torch.from_numpy(images.labels[:CASCADED])
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
        benchmark(lambda: [corrupt(part, name, amount_of(name, 3), 0) for name in CORRUPTIONS])

    def test_skimage_image_by_image(self, benchmark, digits: Dataset) -> None:
        amounts = {name: CORRUPTIONS[name].amounts[2] for name in CORRUPTIONS}
        settings = [
            {"mode": "gaussian", "var": amounts["gaussian"] ** 2},
            {"mode": "poisson"},
            {"mode": "s&p", "amount": amounts["salt_and_pepper"]},
            {"mode": "speckle", "var": amounts["speckle"] ** 2},
        ]
        benchmark(lambda: [random_noise(image, **setting) for setting in settings for image in digits.images[:256]])

    def test_vectorised_in_numpy(self, benchmark, digits: Dataset) -> None:
        amounts = {name: CORRUPTIONS[name].amounts[2] for name in CORRUPTIONS}
        rng = np.random.default_rng(0)

        def run() -> list[np.ndarray]:
            pixels = digits.images[:256] / np.float32(255)
            normal = partial(rng.standard_normal, pixels.shape, np.float32)
            chance, share = rng.random(pixels.shape, np.float32), amounts["salt_and_pepper"]
            noisy = [
                pixels + np.float32(amounts["gaussian"]) * normal(),
                rng.poisson(pixels * amounts["poisson"]) / np.float32(amounts["poisson"]),
                np.where(chance < share / 2, 0, np.where(chance < share, 1, pixels)),
                pixels * (1 + np.float32(amounts["speckle"]) * normal()),
            ]
            return [(np.clip(values, 0, 1) * 255).astype(np.uint8) for values in noisy]

        benchmark(run)


@pytest.mark.benchmark(group="random numbers for a batch of 64 images")
class TestStreams:
    def test_keyed_by_image(self, benchmark) -> None:
        like = torch.zeros(64, 3, 32, 32)
        streams = ImageStreams([np.random.Generator(np.random.Philox(index)) for index in range(64)])
        benchmark(streams.uniform, like)

    def test_torch_rand(self, benchmark) -> None:
        benchmark(torch.rand, 64, 3, 32, 32)


@pytest.mark.benchmark(group="weight noise, at most 200 images")
class TestDistortion:
    def test_robench(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        benchmark(measure, Task(standard, few, Condition("distortion", "gaussian", 0.2), 0, 0, BATCH))

    def test_bare_forward_pass(self, benchmark, standard: ModelUnderTest, few: Dataset) -> None:
        x = to_pixels(few.images, torch.device("cpu"))

        def run() -> torch.Tensor:
            with torch.inference_mode():
                return standard.original(x)

        benchmark(run)


def count(model: nn.Module, passes: Counter[bool]) -> torch.utils.hooks.RemovableHandle:
    """Count the images that go through ``model``, by whether there is a backward pass, too."""
    return model.register_forward_hook(lambda _, inputs, __: passes.update({inputs[0].requires_grad: len(inputs[0])}))


def best_rate(model: Blocked, run: Callable[[Blocked], object], images: int) -> float:
    """Images a second, in the fastest of several block sizes, on one thread a block or on all."""
    rates = []
    for size, workers in BLOCKS:
        blocked = Blocked(model.model, (size,), workers)
        run(blocked)
        started = time.perf_counter()
        run(blocked)
        rates.append(images / (time.perf_counter() - started))
    return max(rates)


@pytest.mark.benchmark(group="profile of PGD-20 at six epsilons, fp_resnet20")
def test_profile(benchmark, standard: ModelUnderTest, images: Dataset) -> None:
    subject = fresh(standard)
    attacked, judged = Counter[bool](), Counter[bool]()
    hooks = [count(subject.exact.model, judged)]
    if subject.gradients is not subject.exact:
        hooks.append(count(subject.gradients.model, attacked))
    benchmark.pedantic(robench_pgd, (subject, images, GRID), rounds=1)
    for hook in hooks:
        hook.remove()
    judged -= attacked  # a model in bfloat16 computes through the exact one
    seconds = benchmark.stats.stats.min
    benchmark.extra_info["profile"] = profile(subject, images, {"gradients": attacked, "exact": judged}, seconds)


def profile(
    subject: ModelUnderTest, images: Dataset, passes: dict[str, Counter[bool]], seconds: float
) -> tuple[str, float, list[tuple[str, int, float]]]:
    """What was timed, its seconds, and for each kind of pass its name, images, and best rate in images a second."""
    x, y = to_pixels(images.images[:512], torch.device("cpu")), torch.from_numpy(images.labels[:512])
    rows = []
    for form, counted in passes.items():
        model: Blocked = getattr(subject, form)
        for backward, number in sorted(counted.items(), reverse=True):
            with torch.inference_mode(not backward):
                rate = best_rate(
                    model, (lambda blocked: loss_and_gradient(blocked, x, y)) if backward else (lambda b: b(x)), len(x)
                )
            what = ("forward and backward" if backward else "forward") + (", bfloat16" if model.slack else ", float32")
            rows.append((what, number, rate))
    return f"PGD-20 at six epsilons, fp_resnet20, {len(images)} images", seconds, rows
