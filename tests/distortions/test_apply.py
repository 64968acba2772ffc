import numpy as np
import pytest
import torch

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Condition
from robench.data.base import Dataset
from robench.distortions import DISTORTIONS, Distortion
from robench.distortions.apply import distorted
from robench.engine.layers import count_weights
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.measure.measure import measure


def state(subject: ModelUnderTest) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in subject.original.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_weights_change_and_come_back_bit_for_bit(twn_digits: ModelUnderTest) -> None:
    before = state(twn_digits)
    with distorted(twn_digits.original.model, "gaussian", 0.2, seed=0) as changed:
        assert changed
        during = state(twn_digits)
    moved = [name for name in before if not torch.equal(before[name], during[name])]
    assert len(moved) == 20
    assert same(before, state(twn_digits))


def test_noise_on_the_inner_layers_leaves_the_first_and_the_last(resnet_digits: ModelUnderTest) -> None:
    before = state(resnet_digits)
    with distorted(resnet_digits.original.model, "gaussian_max", 0.2, seed=0, scope="inner"):
        during = state(resnet_digits)
    moved = [name for name in before if not torch.equal(before[name], during[name])]
    assert len(moved) == 18
    assert not any("network.conv1" in name or "fc" in name for name in moved)


def resolved(**params: str) -> Condition:
    condition = Condition("distortion", "gaussian", 0.1, tuple(sorted(params.items())))
    return kind_of(condition).resolve(condition)


def test_settings_that_are_none_are_refused() -> None:
    facts = dict(resolved(scope="inner", batch_norm="recalibrated").facts)
    assert facts == {"acts_on": "values", "random": True, "scope": "inner"}
    with pytest.raises(RobenchError, match="takes no scope = 'outer'; its settings: scope = 'inner' or"):
        resolved(scope="outer")
    with pytest.raises(RobenchError, match="takes no layers = 'inner'"):
        resolved(layers="inner")


def test_weights_come_back_after_an_error(twn_digits: ModelUnderTest) -> None:
    before = state(twn_digits)
    with pytest.raises(KeyboardInterrupt), distorted(twn_digits.original.model, "multiplicative", 0.4, seed=0):
        raise KeyboardInterrupt
    assert same(before, state(twn_digits))


def test_power_one_is_seen_to_be_the_identity(resnet_digits: ModelUnderTest) -> None:
    with distorted(resnet_digits.original.model, "power", 1.0, seed=0) as changed:
        assert not changed


def distorted_weight(subject: ModelUnderTest, level: float, draw: int) -> torch.Tensor:
    with distorted(subject.original.model, "gaussian", level, seed=0, draw=draw):
        return subject.original.model.network.fc.weight.clone()


def test_levels_nest_and_draws_differ(resnet_digits: ModelUnderTest) -> None:
    clean = resnet_digits.original.model.network.fc.weight
    small, large, other = (distorted_weight(resnet_digits, *at) - clean for at in ((0.1, 0), (0.4, 0), (0.1, 1)))
    torch.testing.assert_close(4 * small, large, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(small, other)


@pytest.mark.parametrize(
    ("name", "level"), [("gaussian", -1), ("gaussian", None), ("gaussian", float("nan")), ("sign", 1.0)]
)
def test_a_level_that_does_not_fit_is_one_sentence(
    name: str, level: float | None, resnet_digits: ModelUnderTest
) -> None:
    with pytest.raises(RobenchError, match="takes"), distorted(resnet_digits.original.model, name, level, seed=0):
        pass


@pytest.mark.parametrize("returned", [None, np.zeros(3, np.float32), np.float32(1)])
def test_a_distortion_that_breaks_its_contract_is_named(returned: object, resnet_digits: ModelUnderTest) -> None:
    before = state(resnet_digits)
    broken = Distortion(lambda weight, level, rng: returned)  # type: ignore[arg-type,return-value]
    with (
        DISTORTIONS.temporarily("broken", broken),
        pytest.raises(RobenchError, match=r"the distortion broken must return float32 \[16, 3, 3, 3\]"),
        distorted(resnet_digits.original.model, "broken", 1.0, 0),
    ):
        pass
    assert same(before, state(resnet_digits))


def applies(name: str, level: float | None, model: ModelUnderTest, **settings: str) -> bool:
    with distorted(model.original.model, name, level, 0, stored=model.stored, **settings) as found:
        return found


def test_only_what_was_seen_to_change_nothing_does_not_apply(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    """One symmetric scale a tensor makes a projection the identity; a scale for each filter does not."""
    per_filter = prepare(zoo.load("bwn_resnet20", "digits", 10), digits, torch.device("cpu"))
    for name in ("sign", "round", "ternary"):
        assert not applies(name, None, twn_digits)
    assert applies("sign", None, per_filter)
    assert applies("power", 0.5, per_filter)
    assert not applies("power", 1.0, per_filter)


@pytest.mark.parametrize("name", ["twn_resnet20", "bwn_resnet20", "ttq_resnet20", "at_twn_resnet20"])
def test_the_signs_of_per_filter_weights_are_another_network(name: str, cifar10: Dataset) -> None:
    """Of the first 500 exact CIFAR-10 test images, clean and under sign (within an image, for other kernels)."""
    expected = {"twn": (460, 350), "bwn": (445, 375), "ttq": (455, 377), "at_twn": (355, 42)}
    data = cifar10.first(500)
    if data.source != "cifar10_test_exact.npz":
        pytest.skip("made for the exact test images")
    model = prepare(zoo.load(name, "cifar10", 10), data, torch.device("cpu"))
    found = [measure(Task(model, data, c, 0, 0, 512)).correct for c in (CLEAN, Condition("distortion", "sign"))]
    assert found == pytest.approx(expected[name.removesuffix("_resnet20")], abs=2)


def test_a_random_draw_that_changes_nothing_is_a_score(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    task = Task(fp_digits, digits.first(32), Condition("distortion", "multiplicative", 0.0), 0, 0, 32)
    assert measure(task).total == 32


def test_weights_that_are_not_finite_make_wrong_predictions(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    for bad in ("nan", "inf"):
        broken = Distortion(lambda weight, level, rng, bad=bad: weight * np.float32(bad), level=False)
        with DISTORTIONS.temporarily("broken", broken):
            result = measure(Task(fp_digits, digits.first(32), Condition("distortion", "broken"), 0, 0, 32))
        assert (result.correct, result.total, result.flags) == (0, 32, ())
    assert measure(Task(fp_digits, digits.first(32), CLEAN, 0, 0, 32)).correct > 25


def moved(model: ModelUnderTest, **settings: str) -> dict[str, torch.Tensor]:
    before = state(model)
    with distorted(model.original.model, "gaussian", 0.2, 0, stored=model.stored, **settings):
        after = state(model)
    assert same(before, state(model))
    return {name: after[name] for name in before if not torch.equal(before[name], after[name])}


def test_scopes(twn_digits: ModelUnderTest) -> None:
    inner, everything, storage = (set(moved(twn_digits, scope=scope)) for scope in ("inner", "all", "storage"))
    assert (len(inner), len(everything)) == (18, 20)
    assert inner < everything < storage
    assert {"model.network.bn1.running_var", "model.network.fc.bias"} < storage - everything


def test_codes_stay_codes_and_scales_move_alone(twn_digits: ModelUnderTest) -> None:
    codes, scales = moved(twn_digits, acts_on="codes"), moved(twn_digits, acts_on="scales")
    name = "network.layer1.0.conv1.weight"
    stored = twn_digits.stored[name]
    assert len(scales) == 18
    assert 10 < len(codes) <= 18  # small noise moves no code of a small layer
    assert stored.scale is not None
    moved_codes = codes[f"model.{name}"] / stored.scale.item()
    assert set(moved_codes.unique().tolist()) == {-1.0, 0.0, 1.0}
    ratio = scales[f"model.{name}"][stored.values != 0] / stored.weight()[stored.values != 0]
    assert len(ratio.unique()) == 1
    assert (scales[f"model.{name}"][stored.values == 0] == 0).all()


def test_codes_of_a_float_model_do_not_exist(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    condition = Condition("distortion", "gaussian", 0.2, (("acts_on", "codes"),))
    result = measure(Task(fp_digits, digits.first(8), condition, 0, 0, 8))
    assert (result.total, result.flags) == (0, ("n/a: this model stores no codes",))


class Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = torch.nn.MultiheadAttention(12, 2, batch_first=True)
        self.head = torch.nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x[:, :, ::8, ::8].flatten(2)[:, :, :12]
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))


def test_attentions_packed_weight_is_a_weight() -> None:
    model = Attention()
    before = model.attention.in_proj_weight.detach().clone()
    with distorted(model, "gaussian", 0.2, 0):
        assert not torch.equal(model.attention.in_proj_weight, before)
    assert torch.equal(model.attention.in_proj_weight, before)
    assert count_weights(model) == before.numel() + 144 + 120
