"""Every registered thing keeps its room's contract, run with the cheap settings of the tables below.

A thing without a row fails: add yours.
"""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from robench.architectures import ARCHITECTURES
from robench.attacks import ATTACKS
from robench.attacks.apply import check, perturb
from robench.attacks.toolbox import size
from robench.core.kinds import KINDS, kind_of
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import amount_of, corrupt
from robench.data import DATASETS
from robench.data.base import Dataset
from robench.data.load import load, load_calibration
from robench.distortions import DISTORTIONS
from robench.distortions.apply import distorted
from robench.engine.layers import inner_layers
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.engine.verdict import to_pixels
from robench.faults import FAULTS
from robench.measure.measure import measure
from robench.quantizers import QUANTIZERS
from robench.quantizers.stored import unpack

CORRUPTION_ROWS = {
    **dict.fromkeys(("gaussian", "poisson", "salt_and_pepper", "speckle"), True),
    **dict.fromkeys(("gaussian_blur", "defocus_blur", "motion_blur", "zoom_blur", "fog", "snow"), True),
    **dict.fromkeys(("brightness", "contrast"), True),
    # The published severities of these go up and down, or do so on an even slope of grey.
    **dict.fromkeys(("frost", "glass_blur", "spatter", "elastic", "jpeg", "pixelate", "saturate"), False),
}
"""Name -> whether a slope of grey changes more with each severity."""
ATTACK_ROWS: dict[str, tuple[str, dict]] = {
    "fgsm": ("fgsm", {}),
    "bim": ("bim", {"steps": 5}),
    "pgd_worst": ("pgd_worst", {"steps": 3, "queries": 20}),
    "pgd": ("pgd", {"steps": 3}),
    "apgd": ("apgd", {"steps": 5}),
    "fmn": ("fmn", {"steps": 10}),
    "apgd_targeted": ("apgd_targeted", {"steps": 5, "targets": 2}),
    "square": ("square", {"queries": 20}),
    "robench_aa": ("robench_aa", {"steps": 3, "targets": 1, "queries": 5}),
    "autoattack": ("autoattack:standard", {}),
    "torchattacks": ("torchattacks:MIFGSM", {"steps": 2, "alpha": 0.01}),
    "foolbox": ("foolbox:LinfBasicIterativeAttack", {"steps": 3}),
    "adv_lib": ("adv_lib:apgd", {"n_iter": 5}),
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
QUANTIZER_ROWS = {
    "fp": 0.0,
    "bc": 0.63,
    "bwn": 0.63,
    "twn": 0.47,
    "twn_per_filter": 0.47,
    "ttq": 0.62,
    "int8": 0.01,
    "w8a8": 0.01,
    "int6": 0.03,
    "int4": 0.12,
    "tr_sign": 0.0,
    "tr_round": 0.0,
    "tr_power": 0.0,
    "tr_stochm3": 0.0,
}
"""Name -> relative error of a gaussian weight that its stored form may have at most."""
WEIGHT = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
KIND_ROWS = {
    "clean": Condition("clean", "clean"),
    "corruption": Condition("corruption", "gaussian", 5),
    "attack": Condition("attack", "fgsm", 16 / 255),
    "distortion": Condition("distortion", "gaussian", 0.2),
    "fault": Condition("fault", "stuck", 0.05),
}
FAULT_ROWS: dict[str, tuple[float, dict]] = {
    "bit_error": (0.01, {}),
    "random_flips": (5000, {"protection": "secded"}),
    "bit_flip_attack": (2, {}),
    "stuck": (0.05, {}),
    "pcm": (86_400.0, {}),
    "reram": (86_400.0, {"compensation": False}),
}
DATASET_ROWS = {
    *("digits", "cifar10", "cifar100", "mnist", "fashion_mnist"),
    *("npz", "npy", "imagefolder", "parquet", "hf", "cifar10c", "imagenetc"),
}


@pytest.mark.parametrize(
    ("registry", "rows"),
    [
        (CORRUPTIONS, CORRUPTION_ROWS),
        (ATTACKS, ATTACK_ROWS),
        (DISTORTIONS, DISTORTION_ROWS),
        (FAULTS, FAULT_ROWS),
        (ARCHITECTURES, ARCHITECTURE_ROWS),
        (QUANTIZERS, QUANTIZER_ROWS),
        (DATASETS, DATASET_ROWS),
        (KINDS, KIND_ROWS),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_every_registered_thing_has_a_row(registry, rows) -> None:
    assert set(registry) == set(rows)


def _needs(name: str) -> None:
    if name == "frost" and not find_spec("imagecorruptions"):
        pytest.skip("frost needs imagecorruptions-imaug")


@pytest.mark.parametrize("name", CORRUPTIONS)
class TestCorruption:
    def test_is_eight_bit_seeded_and_of_the_same_shape(self, name: str, digits: Dataset) -> None:
        _needs(name)
        images = digits.images[:4]
        before = images.copy()
        noisy = corrupt(images, name, amount_of(name, 3), seed=0)
        assert noisy.dtype == np.uint8
        assert noisy.shape == images.shape
        assert np.array_equal(images, before)
        assert np.array_equal(noisy, corrupt(images, name, amount_of(name, 3), seed=0))

    def test_grows_with_severity(self, name: str) -> None:
        _needs(name)
        grey = np.tile(np.arange(256, dtype=np.uint8), 3 * 8).reshape(1, 3, 32, 64).repeat(4, 0)
        change = [
            np.abs(corrupt(grey, name, amount_of(name, s), seed=0).astype(int) - grey).mean() for s in range(1, 6)
        ]
        assert change == sorted(change) or not CORRUPTION_ROWS[name]
        assert max(change) > 0 or name == "saturate"  # grey has no colours

    def test_works_on_one_channel_and_other_sizes(self, name: str) -> None:
        _needs(name)
        assert corrupt(np.full((2, 1, 5, 7), 99, np.uint8), name, amount_of(name, 5), seed=0).shape == (2, 1, 5, 7)

    def test_keeps_its_kinds_contract(self, name: str) -> None:
        assert kind_of(Condition("corruption", name, 3)).resolve(Condition("corruption", name, 3)).facts


@pytest.mark.parametrize("name", ATTACKS)
class TestAttack:
    def test_stays_within_its_budget_and_hurts(self, name: str, fp_digits: ModelUnderTest, digits: Dataset) -> None:
        spec, params = ATTACK_ROWS[name]
        if ATTACKS[name].library is not None:
            pytest.importorskip(ATTACKS[name].library.module)
        condition = Condition("attack", spec, 32 / 255, tuple(sorted(params.items())))
        check(condition)
        before = {key: tensor.clone() for key, tensor in fp_digits.original.state_dict().items()}
        x, y = to_pixels(digits.images[:64], torch.device("cpu")), torch.from_numpy(digits.labels[:64])
        adversarial = perturb(fp_digits.original, x, y, condition, seed=0)
        assert (size(adversarial - x, "linf") <= 32 / 255 + 1e-6).all()
        assert adversarial.min() >= 0
        assert adversarial.max() <= 1
        assert torch.equal(adversarial, perturb(fp_digits.original, x, y, condition, seed=0))
        with torch.inference_mode():
            assert all(torch.equal(before[key], tensor) for key, tensor in fp_digits.original.state_dict().items())
            accuracy = [(fp_digits.original(images).argmax(1) == y).float().mean() for images in (x, adversarial)]
        assert accuracy[1] < accuracy[0]


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortion_changes_full_precision_weights_and_is_seeded(name: str, resnet_digits: ModelUnderTest) -> None:
    model = resnet_digits.original.model
    weight = model.network.layer1[0].conv1.weight
    results = []
    for _ in range(2):
        with distorted(model, name, DISTORTION_ROWS[name], seed=0) as changed:
            assert changed
            results.append(weight.clone())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], weight)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_seeded_and_leaves_the_model_as_it_was(name: str, twn_digits: ModelUnderTest, digits: Dataset) -> None:
    level, params = FAULT_ROWS[name]
    condition = Condition("fault", name, level, tuple(sorted(params.items())))
    before = {key: tensor.clone() for key, tensor in twn_digits.original.state_dict().items()}
    task = Task(twn_digits, digits.first(32), condition, 0, 0, 32, load_calibration("digits"))
    first, second = measure(task), measure(task)
    assert first.total == 32
    assert (first.top1 == second.top1).all()
    assert first.numbers == second.numbers
    assert dict(first.numbers)
    assert all(torch.equal(before[key], tensor) for key, tensor in twn_digits.original.state_dict().items())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architecture_gives_logits_and_has_inner_layers(name: str) -> None:
    model = ARCHITECTURES[name](num_classes=4, **ARCHITECTURE_ROWS[name]).eval()
    with torch.inference_mode():
        assert model(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    assert inner_layers(model)


@pytest.mark.parametrize("name", QUANTIZERS)
class TestQuantizer:
    def test_uses_no_more_values_than_its_bits_allow(self, name: str) -> None:
        rule = QUANTIZERS[name](WEIGHT)
        assert all(len(row.unique()) <= 2**rule.bits for row in rule(WEIGHT).flatten(1))

    def test_deploys_what_it_computes(self, name: str) -> None:
        rule = QUANTIZERS[name](WEIGHT).eval()
        assert torch.equal(rule.store(WEIGHT).weight(), rule(WEIGHT).detach())

    def test_packs_and_unpacks_bit_for_bit(self, name: str) -> None:
        stored = QUANTIZERS[name](WEIGHT).eval().store(WEIGHT)
        assert stored.bits == QUANTIZERS[name].bits
        values = unpack(stored.pack(), stored.encoding, stored.bits, tuple(stored.values.shape))
        assert torch.equal(replace(stored, values=values).weight(), stored.weight())

    def test_error_is_bounded(self, name: str) -> None:
        """Of the least-squares multiple of the stored weight: a rule may leave the scale to batch norm."""
        stored = QUANTIZERS[name](WEIGHT).eval().store(WEIGHT).weight()
        factor = (stored * WEIGHT).sum() / stored.square().sum()
        error = float((factor * stored - WEIGHT).norm() / WEIGHT.norm())
        assert error <= QUANTIZER_ROWS[name]

    def test_copes_with_a_layer_of_zeros(self, name: str) -> None:
        zeros = torch.zeros(2, 2, 3, 3)
        assert QUANTIZERS[name](zeros)(zeros).isfinite().all()


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_load(split: str) -> None:
    data = load("digits", split)
    assert data.images.shape[1:] == (3, 32, 32)
    assert set(data.labels) == set(range(10))


def test_cifar10_loads(cifar10: Dataset) -> None:
    assert cifar10.images.shape[1:] == (3, 32, 32)
    assert len(cifar10.classes) == 10


@pytest.mark.parametrize("name", KINDS)
def test_kind_resolves_measures_and_names_a_condition(name: str, fp_digits: ModelUnderTest, digits: Dataset) -> None:
    kind, condition = KINDS[name], KIND_ROWS[name]
    resolved = kind.resolve(condition)
    assert resolved == condition == kind.resolve(resolved)
    assert kind.label(resolved)
    assert kind.section
    assert kind.cost(resolved) >= 1
    assert kind.x(resolved) >= 0
    measurement = measure(Task(fp_digits, digits.first(32), condition, 0, 0, 32))
    assert measurement.total == 32
    assert set(kind.further_sections) <= {"rounded"}
