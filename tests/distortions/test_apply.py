import numpy as np
import pytest
import torch

from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Condition
from robench.distortions import DISTORTIONS, Distortion
from robench.distortions.apply import distorted
from robench.engine.model import ModelUnderTest


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
