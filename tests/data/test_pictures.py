import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robench.core.errors import RobenchError
from robench.data.pictures import opened, pixels, size_of
from robench.data.resizing import Resizing

X = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
PHOTO = Image.fromarray(X)


def read(image: Image.Image, form: str = "PNG", **settings: object) -> np.ndarray:
    """What an image is read as after it was saved, [H, W, 3]."""
    file = io.BytesIO()
    image.save(file, form, **settings)
    found = opened(file.getvalue())
    return pixels(found, Resizing(size_of(found))).transpose(1, 2, 0)


def test_grey_images_have_three_equal_channels() -> None:
    grey = PHOTO.convert("L")
    assert np.array_equal(read(grey), np.repeat(np.asarray(grey)[..., None], 3, 2))
    bits = Image.fromarray(X[..., 0] > 127)
    assert np.array_equal(read(bits)[..., 0], (X[..., 0] > 127) * 255)


def test_alpha_is_left_out() -> None:
    alpha = Image.fromarray(X[..., 0])
    transparent = PHOTO.copy()
    transparent.putalpha(alpha)
    assert np.array_equal(read(transparent), X)
    assert np.array_equal(read(Image.merge("LA", [alpha, alpha]))[..., 0], X[..., 0])


@pytest.mark.filterwarnings("error")
def test_palettes_are_looked_up() -> None:
    palette = PHOTO.quantize(16)
    assert np.array_equal(read(palette), np.asarray(palette.convert("RGB")))
    assert np.array_equal(read(palette, transparency=bytes(range(16))), np.asarray(palette.convert("RGB")))


def test_cmyk_is_converted() -> None:
    solid = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(read(solid, "TIFF").astype(int) - [255, 0, 0]).max() == 0
    assert np.abs(read(solid, "JPEG").astype(int) - [255, 0, 0]).max() <= 3


def test_sixteen_bits_become_eight() -> None:
    values = np.array([[0, 128, 129, 257], [32768, 65278, 65407, 65535]] * 2, np.uint16)
    expected = np.rint(values / 257)
    for form in ("PNG", "TIFF"):
        assert np.array_equal(read(Image.fromarray(values), form)[..., 0], expected)


def test_images_with_values_beyond_16_bits_are_refused() -> None:
    with pytest.raises(RobenchError, match="values from 0 to 70000, which is more than 16 bits"):
        read(Image.fromarray(np.array([[0, 70000] * 4] * 4, np.int32)), "TIFF")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(form: str, orientation: int) -> None:
    """As the EXIF standard has it: where the first row and the first column of what is stored belong."""
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :16] = 255  # the corner of the first row and column
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = read(Image.fromarray(stored), form, exif=exif)
    bottom, right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    assert shown.shape[:2] == ((16, 32) if orientation < 5 else (32, 16))
    bright = shown.mean(2) > 127
    height, width = (size // 2 for size in bright.shape)
    assert bright[bottom * height :][:height, right * width :][:, :width].mean() > 0.9
    assert bright.mean() == pytest.approx(0.25, abs=0.02)


def test_the_first_frame_counts() -> None:
    frames = [Image.fromarray(X), Image.fromarray(255 - X)]
    assert np.array_equal(read(frames[0], "TIFF", save_all=True, append_images=frames[1:]), X)


def test_a_file_by_its_path(tmp_path: Path) -> None:
    PHOTO.save(tmp_path / "photo.png")
    with opened(tmp_path / "photo.png") as image:
        assert size_of(image) == (8, 6)


def test_tiny_pictures_are_refused() -> None:
    with pytest.raises(RobenchError, match="8x3 pixels, which is too few"):
        read(Image.fromarray(X[:3]))
