"""What a memory fault costs beside the forward passes that it needs: pytest tests/benchmarks/test_faults.py."""

from collections.abc import Callable

import pytest

from robench.core.types import CLEAN, Condition
from robench.data.base import Dataset
from robench.data.load import load_calibration
from robench.engine.loaded import LoadedModel
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task, judge_images
from robench.measure.measure import measure

Load = Callable[[str], LoadedModel]
Prepared = Callable[[LoadedModel], ModelUnderTest]
BATCH, ROUNDS = 1024, 5
FAULTS = {
    "bit_error 0.0001": Condition("fault", "bit_error", 1e-4),
    "bit_error 0.01": Condition("fault", "bit_error", 1e-2),
    "bit_error 0.1": Condition("fault", "bit_error", 0.1),
    "bit_error 0.01 (secded)": Condition("fault", "bit_error", 1e-2, (("protection", "secded"),)),
    "stuck 0.05": Condition("fault", "stuck", 0.05),
    "pcm 1 month": Condition("fault", "pcm", 2_592_000.0),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("model", ["int8_resnet20", "twn_resnet20"])
class TestCost:
    """A fault condition, and the verdict on the same images alone."""

    @pytest.fixture(autouse=True)
    def group(self, benchmark, name: str, model: str, images: Dataset) -> None:
        benchmark.group = f"{name}, {model}, {len(images)} images of {images.name}"

    def test_fault(self, benchmark, name: str, model: str, images: Dataset, load: Load, prepared: Prepared) -> None:
        tested = prepared(load(model))
        benchmark.pedantic(lambda: measure(Task(tested, images, FAULTS[name], 0, 0, BATCH)), rounds=ROUNDS)

    def test_verdict_alone(
        self, benchmark, name: str, model: str, images: Dataset, load: Load, prepared: Prepared
    ) -> None:
        tested = prepared(load(model))
        task = Task(tested, images, CLEAN, 0, 0, BATCH)
        benchmark.pedantic(lambda: judge_images(task, images.images, lambda done, correct: None), rounds=ROUNDS)


@pytest.mark.benchmark(group="bit_flip_attack on int8_resnet20 to chance: at most 60 s on two cores")
def test_bit_flip_attack(benchmark, images: Dataset, load: Load, prepared: Prepared) -> None:
    tested, training = prepared(load("int8_resnet20")), load_calibration(images.name)
    task = Task(tested, images, Condition("fault", "bit_flip_attack", 200), 0, 0, BATCH, training)
    found = benchmark.pedantic(lambda: measure(task), rounds=1)
    benchmark.extra_info["found"] = [dict(found.numbers)["flips"]]
