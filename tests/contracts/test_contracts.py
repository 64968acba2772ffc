"""Every registered thing keeps its room's contract, run with the cheap settings of the tables below.

A thing without a row fails: add yours.
"""

import numpy as np
import pytest
import torch

from robench.attacks import ATTACKS
from robench.attacks.apply import perturb
from robench.attacks.gradient import size
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import corrupt
from robench.data import DATASETS
from robench.data.base import Dataset
from robench.data.load import load
from robench.distortions import DISTORTIONS
from robench.distortions.apply import distorted
from robench.models import ARCHITECTURES
from robench.models.layers import inner_layers
from robench.quantizers import QUANTIZERS
from robench.subject import Subject, to_pixels

CORRUPTION_ROWS = {"gaussian", "poisson", "salt_and_pepper", "speckle"}
ATTACK_ROWS: dict[str, tuple[str, dict]] = {
    "fgsm": ("fgsm", {}),
    "bim": ("bim", {"steps": 5}),
    "pgd_worst": ("pgd_worst", {"steps": 3, "queries": 20}),
    "pgd": ("pgd", {"steps": 3}),
    "apgd": ("apgd", {"steps": 5}),
    "apgd_targeted": ("apgd_targeted", {"steps": 5, "targets": 2}),
    "square": ("square", {"queries": 20}),
    "robench_aa": ("robench_aa", {"steps": 3, "targets": 1, "queries": 5}),
    "torchattacks": ("torchattacks:MIFGSM", {"steps": 2, "alpha": 0.01}),
}
DISTORTION_ROWS: dict[str, float | None] = {
    "gaussian": 0.2,
    "gaussian_max": 0.1,
    "multiplicative": 0.2,
    "power": 0.5,
    "round": None,
    "sign": None,
    "ternary": None,
}
ARCHITECTURE_ROWS: dict[str, dict[str, float]] = {
    "resnet20": {},
    "resnet32": {},
    "resnet44": {},
    "resnet56": {},
    "binary_resnet20": {},
    "convnet": {"width": 0.125},
    "alexnet": {"width": 0.125},
}
PROJECTION_ROWS = {"tr_sign", "tr_round", "tr_power", "tr_stochm3"}
QUANTIZER_ROWS = {"fp", "bc", "bwn", "twn", "twn_per_filter", "ttq"} | PROJECTION_ROWS
DATASET_ROWS = {"digits", "cifar10", "npz", "imagefolder"}


@pytest.mark.parametrize(
    ("registry", "rows"),
    [
        (CORRUPTIONS, CORRUPTION_ROWS),
        (ATTACKS, ATTACK_ROWS),
        (DISTORTIONS, DISTORTION_ROWS),
        (ARCHITECTURES, ARCHITECTURE_ROWS),
        (QUANTIZERS, QUANTIZER_ROWS),
        (DATASETS, DATASET_ROWS),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_every_registered_thing_has_a_row(registry, rows) -> None:
    assert set(registry) == set(rows)


@pytest.mark.parametrize("name", CORRUPTIONS)
class TestCorruption:
    def test_is_eight_bit_seeded_and_of_the_same_shape(self, name: str, digits: Dataset) -> None:
        images = digits.images[:4]
        before = images.copy()
        noisy = corrupt(images, name, 3, seed=0)
        assert noisy.dtype == np.uint8
        assert noisy.shape == images.shape
        assert np.array_equal(images, before)
        assert np.array_equal(noisy, corrupt(images, name, 3, seed=0))

    def test_grows_with_severity(self, name: str) -> None:
        grey = np.tile(np.arange(256, dtype=np.uint8), 3 * 8).reshape(1, 3, 32, 64).repeat(4, 0)
        change = [np.abs(corrupt(grey, name, s, seed=0).astype(int) - grey).mean() for s in range(1, 6)]
        assert change == sorted(change)
        assert change[0] > 0

    def test_works_on_one_channel_and_other_sizes(self, name: str) -> None:
        assert corrupt(np.full((2, 1, 5, 7), 99, np.uint8), name, 5, seed=0).shape == (2, 1, 5, 7)

    def test_is_documented(self, name: str) -> None:
        assert CORRUPTIONS[name].function.__doc__


@pytest.mark.parametrize("name", ATTACKS)
class TestAttack:
    def test_stays_within_its_budget_and_hurts(self, name: str, fp_digits: Subject, digits: Dataset) -> None:
        spec, params = ATTACK_ROWS[name]
        condition = Condition("attack", spec, 32 / 255, tuple(sorted(params.items())))
        x, y = to_pixels(digits.images[:64], torch.device("cpu")), torch.from_numpy(digits.labels[:64])
        adversarial = perturb(fp_digits.model, x, y, condition, seed=0)
        assert (size(adversarial - x, "linf") <= 32 / 255 + 1e-6).all()
        assert adversarial.min() >= 0
        assert adversarial.max() <= 1
        assert torch.equal(adversarial, perturb(fp_digits.model, x, y, condition, seed=0))
        with torch.inference_mode():
            accuracy = [(fp_digits.model(images).argmax(1) == y).float().mean() for images in (x, adversarial)]
        assert accuracy[1] < accuracy[0]


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortion_changes_full_precision_weights_and_is_seeded(name: str, resnet_digits: Subject) -> None:
    model = resnet_digits.model.model
    weight = model.network.layer1[0].conv1.weight
    results = []
    for _ in range(2):
        with distorted(model, name, DISTORTION_ROWS[name], seed=0) as changed:
            assert changed
            results.append(weight.clone())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], weight)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architecture_gives_logits_and_has_inner_layers(name: str) -> None:
    model = ARCHITECTURES[name](num_classes=4, **ARCHITECTURE_ROWS[name]).eval()
    with torch.inference_mode():
        assert model(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    assert inner_layers(model)


@pytest.mark.parametrize("name", QUANTIZERS)
class TestQuantizer:
    def test_uses_no_more_values_than_its_bits_allow(self, name: str) -> None:
        weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
        rule = QUANTIZERS[name](weight)
        assert all(len(row.unique()) <= 2**rule.bits for row in rule(weight).flatten(1))

    def test_deploys_what_it_computes(self, name: str) -> None:
        weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
        rule = QUANTIZERS[name](weight).eval()
        lowbit = rule.lowbit(weight)
        deployed = weight if lowbit is None else lowbit.dequantize()
        assert torch.equal(deployed, rule(weight).detach())

    def test_copes_with_a_layer_of_zeros(self, name: str) -> None:
        zeros = torch.zeros(2, 2, 3, 3)
        assert QUANTIZERS[name](zeros)(zeros).isfinite().all()

    def test_names_its_paper(self, name: str) -> None:
        assert QUANTIZERS[name].__doc__


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_load(split: str) -> None:
    data = load("digits", split)
    assert data.images.shape[1:] == (3, 32, 32)
    assert set(data.labels) == set(range(10))


def test_cifar10_loads(cifar10: Dataset) -> None:
    assert cifar10.images.shape[1:] == (3, 32, 32)
    assert len(cifar10.classes) == 10
