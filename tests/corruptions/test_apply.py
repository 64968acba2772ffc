import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Condition
from robench.corruptions import CORRUPTIONS, Corruption
from robench.corruptions.apply import Corrupted, amount_of, corrupt
from robench.data.base import Dataset


def noisy(images: np.ndarray, name: str, severity: int, **settings: int) -> np.ndarray:
    return corrupt(images, name, amount_of(name, severity), **settings)


def test_noise_of_an_image_does_not_depend_on_the_others(digits: Dataset) -> None:
    whole = noisy(digits.images[:20], "poisson", 3, seed=0)
    assert np.array_equal(whole[:5], noisy(digits.images[:5], "poisson", 3, seed=0))


@given(st.integers(0, 150), st.integers(0, 150))
@settings(deadline=None, max_examples=20)
def test_noise_of_an_image_does_not_depend_on_the_block(start: int, stop: int) -> None:
    images = np.full((150, 1, 4, 4), 99, np.uint8)
    blocks = Corrupted(images, "speckle", amount_of("speckle", 3), seed=1)
    assert np.array_equal(blocks[start:stop], noisy(images, "speckle", 3, seed=1)[start:stop])
    assert (len(blocks), blocks.shape) == (150, images.shape)


def test_images_seeds_and_draws_get_different_noise() -> None:
    grey = np.full((2, 3, 8, 8), 128, np.uint8)
    first = noisy(grey, "gaussian", 3, seed=0)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, noisy(grey, "gaussian", 3, seed=1))
    assert not np.array_equal(first, noisy(grey, "gaussian", 3, seed=0, draw=1))


def test_severities_nest() -> None:
    grey = np.full((4, 3, 16, 16), 128, np.uint8)
    mild, strong = (noisy(grey, "gaussian", s, seed=0).astype(float) - 128 for s in (1, 5))
    assert np.corrcoef(mild.ravel(), strong.ravel())[0, 1] > 0.99
    few, many = (noisy(grey, "salt_and_pepper", s, seed=0) != 128 for s in (1, 5))
    assert many[few].all()


@given(
    npst.arrays(np.uint8, st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9))),
    st.sampled_from(["gaussian", "poisson", "salt_and_pepper", "speckle"]),
    st.integers(1, 5),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_any_image_stays_an_image(images: np.ndarray, name: str, severity: int, seed: int) -> None:
    result = noisy(images, name, severity, seed=seed)
    assert result.shape == images.shape
    assert result.dtype == np.uint8
    if name == "poisson":
        assert (result[images == 0] == 0).all()  # no light, no noise


@pytest.mark.parametrize("severity", [0, 6, 2.5, -1, None])
def test_a_severity_that_does_not_exist_is_one_sentence(severity: float | None) -> None:
    with pytest.raises(RobenchError, match="choose 1 to 5"):
        amount_of("gaussian", severity)


def test_a_noise_that_breaks_its_contract_is_named(digits: Dataset) -> None:
    broken = Corruption(lambda image, amount, rng: image * np.nan, (1, 2, 3, 4, 5))
    with (
        CORRUPTIONS.temporarily("broken", broken),
        pytest.raises(RobenchError, match="the corruption broken returned a wrong shape"),
    ):
        corrupt(digits.images[:1], "broken", 1, seed=0)


def resolved(**params: object) -> Condition:
    condition = Condition("corruption", "gaussian", None, tuple(params.items()))  # type: ignore[arg-type]
    return kind_of(condition).resolve(condition)


def test_an_amount_instead_of_a_severity() -> None:
    assert resolved(amount=0.08).facts == (("amount", 0.08),)
    assert amount_of("gaussian", 3) == 0.08
    for amount, sentence in (
        (-1, "must be a number above 0, and at most 10,000, not -1"),
        (True, "takes a severity"),
        ("x", "takes a sev"),
    ):
        with pytest.raises(RobenchError, match=sentence):
            resolved(amount=amount)
    with pytest.raises(RobenchError, match="takes a severity, or amount"):
        resolved(sigma=0.1)
    with pytest.raises(RobenchError, match="not both"):
        amount_of("gaussian", 3, 0.1)
