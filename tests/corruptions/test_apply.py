import numpy as np
import pytest

from robench.core.errors import RobenchError
from robench.corruptions import CORRUPTIONS, Corruption
from robench.corruptions.apply import corrupt
from robench.data.base import Dataset


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


@pytest.mark.parametrize("severity", [0, 6, 2.5, -1, None])
def test_a_severity_that_does_not_exist_is_one_sentence(severity: float | None, digits: Dataset) -> None:
    with pytest.raises(RobenchError, match="choose 1 to 5"):
        corrupt(digits.images[:1], "gaussian", severity, seed=0)


def test_a_noise_that_breaks_its_contract_is_named(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> None:
    broken = Corruption(lambda image, amount, rng: image * np.nan, (1, 2, 3, 4, 5))
    monkeypatch.setitem(CORRUPTIONS._entries, "broken", broken)
    with pytest.raises(RobenchError, match="the corruption broken gave"):
        corrupt(digits.images[:1], "broken", 1, seed=0)
