import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS, Corruption
from robench.corruptions.apply import corrupt
from robench.data.base import Dataset
from robench.runner import validate


def test_noise_of_an_image_does_not_depend_on_the_others(digits: Dataset) -> None:
    whole = corrupt(digits.images[:20], "poisson", 3, seed=0)
    assert np.array_equal(whole[:5], corrupt(digits.images[:5], "poisson", 3, seed=0))


def test_images_seeds_and_draws_get_different_noise() -> None:
    grey = np.full((2, 3, 8, 8), 128, np.uint8)
    first = corrupt(grey, "gaussian", 3, seed=0)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, corrupt(grey, "gaussian", 3, seed=1))
    assert not np.array_equal(first, corrupt(grey, "gaussian", 3, seed=0, draw=1))


def test_severities_nest() -> None:
    grey = np.full((4, 3, 16, 16), 128, np.uint8)
    mild, strong = (corrupt(grey, "gaussian", s, seed=0).astype(float) - 128 for s in (1, 5))
    assert np.corrcoef(mild.ravel(), strong.ravel())[0, 1] > 0.99
    few, many = (corrupt(grey, "salt_and_pepper", s, seed=0) != 128 for s in (1, 5))
    assert many[few].all()


@given(
    npst.arrays(np.uint8, st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9))),
    st.sampled_from(["gaussian", "poisson", "salt_and_pepper", "speckle"]),
    st.integers(1, 5),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_any_image_stays_an_image(images: np.ndarray, name: str, severity: int, seed: int) -> None:
    noisy = corrupt(images, name, severity, seed)
    assert noisy.shape == images.shape
    assert noisy.dtype == np.uint8
    if name == "poisson":
        assert (noisy[images == 0] == 0).all()  # no light, no noise


@pytest.mark.parametrize("severity", [0, 6, 2.5, -1, None])
def test_a_severity_that_does_not_exist_is_one_sentence(severity: float | None, digits: Dataset) -> None:
    with pytest.raises(RobenchError, match="choose 1 to 5"):
        corrupt(digits.images[:1], "gaussian", severity, seed=0)


def test_a_noise_that_breaks_its_contract_is_named(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    broken = Corruption(lambda image, amount, rng: image * np.nan, (1, 2, 3, 4, 5))
    monkeypatch.setitem(CORRUPTIONS._entries, "broken", broken)
    with pytest.raises(RobenchError, match="the corruption broken gave"):
        corrupt(digits.images[:1], "broken", 1, seed=0)


def test_an_amount_instead_of_a_severity(digits: Dataset) -> None:
    by_severity = corrupt(digits.images[:9], "gaussian", 3, seed=0)
    assert np.array_equal(corrupt(digits.images[:9], "gaussian", None, seed=0, amount=0.08), by_severity)
    with pytest.raises(RobenchError, match="must be a number above 0, not -1"):
        corrupt(digits.images[:1], "gaussian", None, seed=0, amount=-1)
    with pytest.raises(RobenchError, match="takes a severity, or amount"):
        validate(Condition("corruption", "gaussian", None, (("sigma", 0.1),)))
