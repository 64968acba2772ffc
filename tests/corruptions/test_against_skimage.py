"""Our noises against scikit-image's random_noise: same generator, same numbers."""

import numpy as np
import pytest
from skimage.util import random_noise

from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import amount_of, corrupt
from robench.data.base import Dataset


@pytest.fixture
def image(digits: Dataset) -> np.ndarray:
    return digits.images[0] / 255.0


class Reference:
    """NumPy's own distributions under the names that a noise calls."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(3)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.standard_normal(shape)

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.random(shape)

    def poisson(self, means: np.ndarray, which: np.ndarray) -> np.ndarray:
        return self.rng.poisson(means[which])


def ours(name: str, image: np.ndarray, amount: float) -> np.ndarray:
    return CORRUPTIONS[name].function(image, amount, Reference()).clip(0, 1)


def test_gaussian(image: np.ndarray) -> None:
    theirs = random_noise(image, "gaussian", rng=np.random.default_rng(3), var=0.08**2)
    np.testing.assert_allclose(ours("gaussian", image, 0.08), theirs, atol=1e-12)


def test_speckle(image: np.ndarray) -> None:
    theirs = random_noise(image, "speckle", rng=np.random.default_rng(3), var=0.2**2)
    np.testing.assert_allclose(ours("speckle", image, 0.2), theirs, atol=1e-12)


def test_salt_and_pepper(image: np.ndarray) -> None:
    theirs = random_noise(image, "s&p", rng=np.random.default_rng(3), amount=0.07)
    np.testing.assert_array_equal(ours("salt_and_pepper", image, 0.07), theirs)


def test_poisson(image: np.ndarray) -> None:
    # scikit-image takes the power of two above the number of grey levels as the photon count.
    photons = 2 ** np.ceil(np.log2(len(np.unique(image))))
    theirs = random_noise(image, "poisson", rng=np.random.default_rng(3))
    np.testing.assert_allclose(ours("poisson", image, photons), theirs, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("gaussian", lambda c: c**2),
        ("poisson", lambda c: 0.5 / c),
        ("speckle", lambda c: 0.25 * c**2),
        ("salt_and_pepper", lambda c: 0.25 * c),
    ],
)
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_variance_on_grey_is_the_formulas(name: str, variance, severity: int) -> None:
    grey = np.full((40, 3, 32, 32), 128, np.uint8)
    noise = corrupt(grey, name, amount_of(name, severity), seed=0) / 255 - 128 / 255
    expected = variance(CORRUPTIONS[name].amounts[severity - 1])
    assert noise.var() == pytest.approx(expected, rel=0.05)
    assert abs(noise.mean()) < 0.004  # truncation to 8 bits costs half a grey level
