"""Every distortion against its formula."""

import numpy as np
import pytest

from robench.distortions import DISTORTIONS

WEIGHT = np.array([[-1.0, -0.6, -0.2], [0.0, 0.4, 0.8]], np.float32)


def distort(name: str, level: float = float("nan"), weight: np.ndarray = WEIGHT) -> np.ndarray:
    return DISTORTIONS[name].function(weight, level, np.random.default_rng(0))


def test_sign_keeps_signs_at_the_largest_magnitude() -> None:
    assert distort("sign").tolist() == [[-1, -1, -1], [0, 1, 1]]


def test_round_is_ternary_with_threshold_half_the_largest() -> None:
    assert distort("round").tolist() == [[-1, -1, 0], [0, 0, 1]]


def test_power() -> None:
    np.testing.assert_allclose(distort("power", 2.0), [[-1, -0.36, -0.04], [0, 0.16, 0.64]], rtol=1e-6)
    np.testing.assert_allclose(distort("power", 1.0), WEIGHT, rtol=1e-6)
    np.testing.assert_array_equal(distort("power", 0.0), distort("sign"))


def test_ternary_is_twn() -> None:
    # mean |w| = 0.5, threshold 0.35: -1, -0.6, 0.4 and 0.8 stay, at their mean 0.7.
    np.testing.assert_allclose(distort("ternary"), [[-0.7, -0.7, 0], [0, 0.7, 0.7]], rtol=1e-6)


@pytest.mark.parametrize("name", ["sign", "round", "ternary", "power"])
@pytest.mark.parametrize("codes", [[[-1, 1], [1, -1]], [[-1, 0], [0, 1]]])
def test_projections_are_the_identity_on_codes_with_one_symmetric_scale(name: str, codes: list) -> None:
    weight = 0.3 * np.array(codes, np.float32)
    np.testing.assert_allclose(distort(name, 0.5, weight), weight, rtol=1e-6)


@pytest.mark.parametrize("name", ["sign", "round", "ternary", "power"])
def test_projections_change_codes_whose_scales_differ(name: str) -> None:
    weight = np.array([[0.1, -0.1], [1.0, -1.0]], np.float32)
    assert not np.allclose(distort(name, 0.5, weight), weight)


@pytest.mark.parametrize("name", ["sign", "round", "ternary", "power"])
def test_projections_leave_zeros_alone(name: str) -> None:
    assert not distort(name, 0.5, np.zeros((2, 2), np.float32)).any()


def test_gaussian_noise_is_relative_to_the_root_mean_square() -> None:
    weight = np.full((200, 200), 0.5, np.float32)
    noise = distort("gaussian", 0.2, weight) - weight
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    assert abs(noise.mean()) < 0.002


def test_gaussian_max_noise_is_relative_to_the_largest_weight() -> None:
    weight = np.full((200, 200), 0.1, np.float32)
    weight[0, 0] = -0.5
    noise = distort("gaussian_max", 0.2, weight) - weight
    assert noise.std() == pytest.approx(0.1, rel=0.02)


def test_multiplicative_noise_is_relative_to_each_weight() -> None:
    weight = np.linspace(-1, 1, 40_001, dtype=np.float32)
    noise = distort("multiplicative", 0.2, weight) - weight
    assert noise[weight == 0] == 0
    ratio = noise[weight != 0] / weight[weight != 0]
    assert ratio.std() == pytest.approx(0.2, rel=0.02)
