"""Corruptions against independent code: imagecorruptions on photographs, scikit-image's colours, and closed forms."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import zoom
from skimage.color import hsv2rgb, rgb2hsv
from sklearn.datasets import load_sample_images

from robench.corruptions import CORRUPTIONS
from robench.corruptions.apply import amount_of, corrupt
from robench.corruptions.draws import Draws
from robench.corruptions.filters import magnified, moved
from robench.corruptions.fog import plasma

SIDE = 224
EXACT = ("brightness", "contrast", "defocus_blur", "gaussian_blur", "jpeg", "pixelate", "saturate", "zoom_blur")
"""Without random numbers: the same image, to one level of 255."""
RANDOM = {
    "gaussian": "gaussian_noise",
    "poisson": "shot_noise",
    "salt_and_pepper": "impulse_noise",
    "speckle": "speckle_noise",
    "glass_blur": "glass_blur",
    "motion_blur": "motion_blur",
    "snow": "snow",
    "spatter": "spatter",
}
"""Ours -> theirs: mean, deviation, change and roughness of an image are alike. Not held against it are fog (its clouds
differ too much from one to the next; see below), frost (it enlarges the photographs, and takes a sixth) and elastic
(another deformation, without the affine part of the published program)."""


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """uint8 [4, 3, 224, 224], parts of two photographs."""
    parts = [one[a : a + SIDE, b : b + SIDE] for one in load_sample_images().images for a, b in ((60, 50), (180, 330))]
    return np.ascontiguousarray(np.stack(parts).transpose(0, 3, 1, 2))


@pytest.fixture(scope="module")
def theirs(photographs: np.ndarray) -> Any:
    """(name, severity) -> what imagecorruptions makes of the photographs."""
    reference = pytest.importorskip("imagecorruptions")

    def corrupted(name: str, severity: int) -> np.ndarray:
        np.random.seed(0)  # noqa: NPY002 (the library's own random numbers)
        pictures = photographs.transpose(0, 2, 3, 1)
        found = [reference.corrupt(one, corruption_name=name, severity=severity) for one in pictures]
        return np.stack(found).transpose(0, 3, 1, 2).astype(float)

    return corrupted


def ours(photographs: np.ndarray, name: str, severity: int) -> np.ndarray:
    return corrupt(photographs, name, amount_of(name, severity, of="imagenet-c"), seed=0).astype(float)


@pytest.mark.parametrize("name", EXACT)
def test_the_same_image(photographs: np.ndarray, theirs, name: str) -> None:
    reference = theirs("jpeg_compression" if name == "jpeg" else name, 3)
    assert np.abs(ours(photographs, name, 3) - reference).max() <= 1


def statistics(images: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Of all images: mean, deviation, mean change, and mean step from a pixel to the next."""
    steps = np.abs(np.diff(images, axis=3))
    return np.array([images.mean(), images.std((1, 2, 3)).mean(), np.abs(images - clean).mean(), steps.mean()])


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_statistics(photographs: np.ndarray, theirs, name: str) -> None:
    clean = photographs.astype(float)
    mine = statistics(ours(photographs, name, 3), clean)
    tolerance = 0.12 if name == "spatter" else 0.05  # a few drops more or less
    assert mine == pytest.approx(statistics(theirs(RANDOM[name], 3), clean), rel=tolerance, abs=0.5)


def test_the_same_clouds(theirs) -> None:
    from imagecorruptions.corruptions import plasma_fractal

    mine = plasma(60, 64, 2.0, Draws(np.random.default_rng(0)))
    np.random.seed(0)  # noqa: NPY002
    reference = np.stack([plasma_fractal(64, 2.0) for _ in range(60)])
    assert mine.mean() == pytest.approx(reference.mean(), abs=0.05)
    assert mine.std((1, 2)).mean() == pytest.approx(reference.std((1, 2)).mean(), rel=0.08)
    assert np.abs(np.diff(mine)).mean() == pytest.approx(np.abs(np.diff(reference)).mean(), rel=0.08)


@pytest.mark.parametrize("severity", range(1, 6))
def test_colours_are_those_of_hsv(severity: int) -> None:
    images = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
    images[0, :, 0] = 0.3  # grey
    images[1, :, 0] = 0
    hsv = rgb2hsv(images, channel_axis=1)
    brighter, stronger = hsv.copy(), hsv.copy()
    amount = CORRUPTIONS["brightness"].amounts[severity - 1]
    factor, added = CORRUPTIONS["saturate"].amounts[severity - 1]  # type: ignore[misc]
    brighter[:, 2] = (hsv[:, 2] + amount).clip(0, 1)
    stronger[:, 1] = (hsv[:, 1] * factor + added).clip(0, 1)
    draws = Draws(np.random.default_rng(0))
    for name, changed, settings in (("brightness", brighter, amount), ("saturate", stronger, (factor, added))):
        found = CORRUPTIONS[name].function(images, settings, draws)
        np.testing.assert_allclose(found, hsv2rgb(changed, channel_axis=1), atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1.03, 1.75, 4.5])
def test_magnified_is_scipys_zoom(factor: float) -> None:
    images = np.random.default_rng(0).random((2, 1, 37, 37)).astype(np.float32)
    kept = int(np.ceil(37 / factor))
    top = (37 - kept) // 2
    large = zoom(images[..., top : top + kept, top : top + kept], (1, 1, factor, factor), order=1)
    start = (large.shape[-1] - 37) // 2
    expected = large[..., start : start + 37, start : start + 37]
    np.testing.assert_allclose(magnified(images, factor), expected, atol=1e-6)


def test_motion_leaves_a_trail_of_one_side() -> None:
    image = np.zeros((1, 1, 21), np.float32)
    image[..., 10] = 1
    trail = moved(image, radius=3, sigma=2, angle=0)[0, 0]
    weights = np.exp(-np.square(np.arange(7)) / 8)
    np.testing.assert_allclose(trail[4:11][::-1], weights / weights.sum(), atol=1e-6)
    assert (trail[11:] == 0).all()


def test_elastic_without_settings_changes_nothing_and_points_that_move_together_shift() -> None:
    from robench.corruptions.elastic import _affine, _sampled, elastic

    images = np.random.default_rng(0).random((2, 3, 16, 16)).astype(np.float32)
    still = elastic(images, (0.0, 1.0, 0.0), Draws(np.random.default_rng(0)))
    np.testing.assert_allclose(still, images, atol=1e-5)
    place = np.stack(np.meshgrid(np.arange(16), np.arange(16), indexing="ij")).astype(np.float32)
    shifted = _sampled(images[0], _affine(place, np.tile(np.float32([2, -1]), (3, 1))), "mirror")
    np.testing.assert_allclose(shifted[:, 2:, :15], images[0][:, :14, 1:], atol=1e-4)


def test_frost_without_its_photographs_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from robench.core.errors import RobenchError
    from robench.corruptions import frost

    monkeypatch.setattr(frost, "find_spec", lambda name: None)
    with pytest.raises(RobenchError, match=r"pip install 'robench\[corruptions\]'"):
        frost._folder()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"severity": 3, "of": "mine"}, "cifar10-c or imagenet-c"),
        ({"severity": None, "amount": 3.0}, "2 settings; it takes a severity"),
    ],
)
def test_severities_that_do_not_exist_are_one_sentence(settings: dict, message: str) -> None:
    from robench.core.errors import RobenchError

    with pytest.raises(RobenchError, match=message):
        amount_of("motion_blur", **settings)
