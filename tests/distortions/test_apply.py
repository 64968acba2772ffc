import numpy as np
import pytest
import torch

from robench.core.errors import RobenchError
from robench.distortions import DISTORTIONS, Distortion
from robench.distortions.apply import check, distorted
from robench.subject import Subject


def state(subject: Subject) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_weights_change_and_come_back_bit_for_bit(twn_digits: Subject) -> None:
    before = state(twn_digits)
    with distorted(twn_digits.model.model, "gaussian", 0.2, seed=0) as changed:
        assert changed
        during = state(twn_digits)
    moved = [name for name in before if not torch.equal(before[name], during[name])]
    assert len(moved) == 20
    assert same(before, state(twn_digits))


def test_noise_on_the_inner_layers_leaves_the_first_and_the_last(resnet_digits: Subject) -> None:
    before = state(resnet_digits)
    with distorted(resnet_digits.model.model, "gaussian_max", 0.2, seed=0, inner=True):
        during = state(resnet_digits)
    moved = [name for name in before if not torch.equal(before[name], during[name])]
    assert len(moved) == 18
    assert not any("network.conv1" in name or "fc" in name for name in moved)


def test_settings_that_are_none_are_refused() -> None:
    check("gaussian", 0.1, {"layers": "inner", "batch_norm": "recalibrated"})
    with pytest.raises(RobenchError, match="its settings may be layers"):
        check("gaussian", 0.1, {"layers": "outer"})


def test_weights_come_back_after_an_error(twn_digits: Subject) -> None:
    before = state(twn_digits)
    with pytest.raises(KeyboardInterrupt), distorted(twn_digits.model.model, "multiplicative", 0.4, seed=0):
        raise KeyboardInterrupt
    assert same(before, state(twn_digits))


def test_a_projection_leaves_low_bit_layers_and_changes_full_precision_ones(
    twn_digits: Subject, resnet_digits: Subject
) -> None:
    for subject, expected in ((twn_digits, False), (resnet_digits, True)):
        with distorted(subject.model.model, "sign", None, seed=0, lowbit=subject.lowbit) as changed:
            assert changed is expected


def test_power_one_is_seen_to_be_the_identity(resnet_digits: Subject) -> None:
    with distorted(resnet_digits.model.model, "power", 1.0, seed=0) as changed:
        assert not changed


def distorted_weight(subject: Subject, level: float, draw: int) -> torch.Tensor:
    with distorted(subject.model.model, "gaussian", level, seed=0, draw=draw):
        return subject.model.model.network.fc.weight.clone()


def test_levels_nest_and_draws_differ(resnet_digits: Subject) -> None:
    clean = resnet_digits.model.model.network.fc.weight
    small, large, other = (distorted_weight(resnet_digits, *at) - clean for at in ((0.1, 0), (0.4, 0), (0.1, 1)))
    torch.testing.assert_close(4 * small, large, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(small, other)


@pytest.mark.parametrize(
    ("name", "level"), [("gaussian", -1), ("gaussian", None), ("gaussian", float("nan")), ("sign", 1.0)]
)
def test_a_level_that_does_not_fit_is_one_sentence(name: str, level: float | None, resnet_digits: Subject) -> None:
    with pytest.raises(RobenchError, match="takes"), distorted(resnet_digits.model.model, name, level, seed=0):
        pass


def test_a_distortion_that_breaks_its_contract_is_named(
    monkeypatch: pytest.MonkeyPatch, resnet_digits: Subject
) -> None:
    before = state(resnet_digits)
    broken = Distortion(lambda weight, level, rng: weight * np.float32("inf"), (1.0,), projection=False)
    monkeypatch.setitem(DISTORTIONS._entries, "broken", broken)
    with (
        pytest.raises(RobenchError, match="the distortion broken gave"),
        distorted(resnet_digits.model.model, "broken", 1.0, 0),
    ):
        pass
    assert same(before, state(resnet_digits))
