"""The same images fall to robench's attacks and to those of other libraries, on a real model with real images."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from robench.attacks.apply import perturb
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels

STEPS = 10
STEP = 2.5 / STEPS
TIES = 1
Batch = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def batch(digits: Dataset) -> Batch:
    return to_pixels(digits.images[:128], torch.device("cpu")), torch.from_numpy(digits.labels[:128])


def torchattacks(name: str, model: torch.nn.Module, batch: Batch, epsilon: float) -> torch.Tensor:
    library = pytest.importorskip("torchattacks")
    if name == "fgsm":
        return library.FGSM(model, eps=epsilon)(*batch)
    return library.PGD(model, eps=epsilon, alpha=STEP * epsilon, steps=STEPS, random_start=False)(*batch)


def foolbox(name: str, model: torch.nn.Module, batch: Batch, epsilon: float) -> torch.Tensor:
    library = pytest.importorskip("foolbox")
    wrapped = library.PyTorchModel(model, bounds=(0, 1), device="cpu")
    if name == "fgsm":
        attack = library.attacks.LinfFastGradientAttack(random_start=False)
    else:
        attack = library.attacks.LinfPGD(rel_stepsize=STEP, steps=STEPS, random_start=False)
    return attack(wrapped, *batch, epsilons=epsilon)[1]


def art(name: str, model: torch.nn.Module, batch: Batch, epsilon: float) -> torch.Tensor:
    estimators = pytest.importorskip("art.estimators.classification")
    evasion = pytest.importorskip("art.attacks.evasion")
    classifier = estimators.PyTorchClassifier(
        model, torch.nn.CrossEntropyLoss(), tuple(batch[0].shape[1:]), 10, clip_values=(0, 1), device_type="cpu"
    )
    if name == "fgsm":
        attack = evasion.FastGradientMethod(classifier, eps=epsilon, batch_size=128)
    else:
        attack = evasion.ProjectedGradientDescentPyTorch(
            classifier, eps=epsilon, eps_step=STEP * epsilon, max_iter=STEPS, batch_size=128, verbose=False
        )
    return torch.from_numpy(attack.generate(batch[0].numpy(), batch[1].numpy()))


@pytest.mark.parametrize("peer", [torchattacks, foolbox, art], ids=lambda peer: peer.__name__)
@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_the_same_images_fall(
    name: str, peer: Callable[..., torch.Tensor], fp_digits: ModelUnderTest, batch: Batch
) -> None:
    epsilon = 16 / 255
    params = (("random_start", False), ("steps", STEPS)) if name == "pgd" else ()
    ours = perturb(fp_digits.gradients, *batch, Condition("attack", name, epsilon, params), seed=0)
    with torch.enable_grad():
        theirs = peer(name, fp_digits.original, batch, epsilon).detach()
    with torch.inference_mode():
        standing = [(fp_digits.original(images).argmax(1) == batch[1]).numpy() for images in (ours, theirs)]
    assert 0.1 < standing[0].mean() < 0.9
    # PGD here stops at the first wrong iterate, the others go on and may come back: they never find more.
    assert np.sum(standing[0] & ~standing[1]) <= TIES
    assert np.sum(standing[0] != standing[1]) <= TIES + 2 * (name == "pgd")
