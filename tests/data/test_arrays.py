from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as hypothesis_arrays

from robench.core.errors import RobenchError
from robench.data.arrays import from_arrays, to_uint8
from robench.data.load import load

X = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
Y = np.arange(12) % 10
FORMS = [X, X.transpose(0, 3, 1, 2), X.astype(np.int64), X / 255, (X / 255).astype(np.float32)]


@pytest.mark.parametrize("x", FORMS)
def test_npz_in_any_usual_form(x: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=x, y=Y)
    data = load(f"npz:{tmp_path}/mine.npz")
    assert np.array_equal(data.images, X.transpose(0, 3, 1, 2))
    assert np.array_equal(data.labels, Y)
    assert data.notes == ()


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("X", "Y"), ("x_test", "y_test"), ("data", "targets"), ("arr_0", "arr_1")]
)
def test_npz_under_the_usual_names(names: tuple[str, str], tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **dict(zip(names, (X, Y), strict=True)), more=Y)
    assert np.array_equal(load(f"npz:{tmp_path}/mine.npz").images, X.transpose(0, 3, 1, 2))


def test_npz_with_both_splits_gives_each(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_train=X[:8], y_train=Y[:8], x_test=X[8:], y_test=Y[8:])
    assert [len(load(f"npz:{tmp_path}/mine.npz", split)) for split in ("train", "test")] == [8, 4]
    np.savez(tmp_path / "mine.npz", x=X, y=Y)
    with pytest.raises(RobenchError, match="test images alone"):
        load(f"npz:{tmp_path}/mine.npz", "train")


def test_npz_with_names_of_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=X, y=Y % 2 + 1, classes=np.array(["ant", "bee", "cow"]))
    data = load(f"npz:{tmp_path}/mine.npz")
    assert data.classes == ("ant", "bee", "cow")
    assert set(data.labels) == {1, 2}  # not from 1: there is a class 0, of which no image is here


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    for grey in (X[..., 0], X[..., :1], X[..., :1].transpose(0, 3, 1, 2)):
        np.savez(tmp_path / "grey.npz", x=grey, y=Y)
        assert np.array_equal(load(f"npz:{tmp_path}/grey.npz").images[:, 0], X[..., 0])


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": X / 255 * 2 - 1, "y": Y}, r"must lie in \[0, 1\]"),
        ({"x": X.astype(int) * 2, "y": Y}, "must lie in 0 to 255"),
        ({"x": np.where(np.arange(12)[:, None, None, None] < 2, np.nan, X / 255), "y": Y}, "and 2 of 12 hold values"),
        ({"x": X > 9, "y": Y}, "of type bool are not understood"),
        ({"x": X / 255 / 255, "y": Y}, "too dark"),
        ({"pictures": X, "y": Y}, "must hold an array of images and one of labels .* holds pictures, y"),
        ({"x": X, "y": Y[:5]}, "12 images and labels of shape"),
        ({"x": X, "y": np.array(3)}, r"12 images and labels of shape \[\]"),
        ({"x": X, "y": Y - 1}, "run from -1 to 8"),
        ({"x": X[:0], "y": Y[:0]}, r"must be \[N, H, W, C\]"),
        ({"x": X[:, :2], "y": Y}, "of 32x2 pixels, and need 4 along"),
        ({"x": X[0, 0], "y": Y}, r"must be \[N, H, W, C\]"),
        ({"x": X[..., :2], "y": Y}, "1 or 3 channels"),
        ({"x": np.array([{}]), "y": Y}, "the array x in .* is of Python objects"),
    ],
)
def test_a_bad_npz_is_one_sentence(arrays: dict, sentence: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(RobenchError, match=sentence):
        load(f"npz:{tmp_path}/bad.npz")


def test_a_missing_or_broken_npz_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="there is no data set"):
        load("npz:nowhere.npz")
    (tmp_path / "html.npz").write_text("<html>not found</html>")
    with pytest.raises(RobenchError, match="cannot be read"):
        load(f"npz:{tmp_path}/html.npz")


def test_npy_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    data = load(f"npy:{folder}/x.npy,{folder}/y.npy")
    assert np.array_equal(data.images, X.transpose(0, 3, 1, 2))
    assert data.fingerprint == from_arrays(X, Y, "other", "").fingerprint


def test_a_bad_npy_is_one_sentence(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "objects.npy", np.array([{}]))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "short.npy").write_bytes((tmp_path / "y.npy").read_bytes()[:-8])
    cases = {"x": "there is no file of images", "objects": "Python objects", "text": "cannot be read as .npy"}
    for name, sentence in (cases | {"short": "declares 224 bytes, and there are 216"}).items():
        with pytest.raises(RobenchError, match=sentence):
            load(f"npy:{tmp_path}/{name}.npy,{tmp_path}/y.npy")
    for spec in ("npy:", "npy:one.npy", "npy:one.npy,"):
        with pytest.raises(RobenchError, match="say which two files"):
            load(spec)


@given(hypothesis_arrays(np.uint8, (3, 4, 5, 3)), st.sampled_from([np.float16, np.float32, np.float64]))
@settings(deadline=None, max_examples=40)
def test_levels_of_255_survive_as_floats(pixels: np.ndarray, dtype: type) -> None:
    pixels[0, 0, 0, 0] = 255
    assert np.array_equal(to_uint8((pixels / 255).astype(dtype))[0], pixels)


def test_rounding_is_said() -> None:
    assert to_uint8(np.full((1, 4, 4), 0.5))[1] == ("float images rounded to 8 bits",)
