"""The official AutoAttack and foolbox on what stands after robench's cascade: tox run -e bench -- -k Official."""

import numpy as np
import pytest
import torch

from robench.core.types import Bits, Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.engine.verdict import judge, to_pixels
from robench.measure.measure import measure

ATTACKED = 64


def standing(subject: ModelUnderTest, images: Dataset, epsilon: float) -> Bits:
    """Which images stand after robench_aa."""
    attack = Condition("attack", "robench_aa", epsilon)
    return measure(Task(subject, images.first(ATTACKED), attack, 0, 0, 1024)).top1


@pytest.mark.parametrize(("model", "epsilon"), [("adversarial", 8 / 255), ("ternary", 1 / 255)])
def test_official_attacks_fool_no_more_than_half_a_point(
    benchmark, model: str, epsilon: float, images: Dataset, request: pytest.FixtureRequest
) -> None:
    from foolbox import PyTorchModel
    from foolbox.attacks import LinfPGD
    from pyautoattack import AutoAttack

    subject = request.getfixturevalue(model)
    stood = benchmark.pedantic(lambda: standing(subject, images, epsilon), rounds=1)
    chosen = np.flatnonzero(stood)
    x = to_pixels(images.images[chosen], torch.device("cpu"))
    y = torch.from_numpy(images.labels[chosen])
    network = subject.original.model
    official = AutoAttack(network, norm="Linf", eps=epsilon, seed=0, version="standard")
    with torch.enable_grad():
        result, _ = official.run_standard_evaluation(x, y, batch_size=len(x))
        _, perturbed, _ = LinfPGD(steps=40)(PyTorchModel(network, (0, 1)), x, y, epsilons=epsilon)
    left = [int(judge(subject.original, tried, y)[0].sum()) for tried in (result, perturbed)]
    benchmark.extra_info["found"] = {"robench_aa": len(chosen), "official": left[0], "foolbox PGD-40": left[1]}
    assert len(chosen) - min(left) <= 0.005 * ATTACKED
