from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import robench
from robench.core.errors import RobenchError
from robench.data.load import load, load_calibration

X = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)


def save(path: Path, image: Image.Image, **settings: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **settings)


def test_images_of_one_size_are_taken_as_they_are(tmp_path: Path) -> None:
    for index, name in enumerate(["cat", "cat", "dog"]):
        save(tmp_path / name / f"{index}.png", Image.fromarray(X[index]))
    data = load(f"imagefolder:{tmp_path}")
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 1, 0]  # classes take turns
    assert data.images.shape == (3, 3, 32, 32)
    assert np.array_equal(data.images[1], X[2].transpose(2, 0, 1))
    assert np.array_equal(data.images[:], X[[0, 2, 1]].transpose(0, 3, 1, 2))


def test_pixels_that_are_equal_have_one_fingerprint_in_any_form(tmp_path: Path) -> None:
    for index in range(12):
        save(tmp_path / "ab"[index % 2] / f"{index:02}.png", Image.fromarray(X[index]))
    np.savez(tmp_path / "x.npz", x=X, y=np.arange(12) % 2)
    folder, arrays = load(f"imagefolder:{tmp_path}"), load(f"npz:{tmp_path}/x.npz")
    assert folder.fingerprint == arrays.fingerprint
    assert folder.first(5).fingerprint == arrays.first(5).fingerprint
    rest, held_out = folder.split(4)
    assert held_out is not None
    assert [rest.fingerprint, held_out.fingerprint] == [part.fingerprint for part in arrays.split(4) if part]


def test_photos_of_several_sizes_are_resized_by_a_stated_rule(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "0.png", Image.new("RGB", (300, 500), (10, 20, 30)))
    save(tmp_path / "dog" / "1.png", Image.new("RGB", (640, 480), (40, 50, 60)))
    data = load(f"imagefolder:{tmp_path}")
    assert data.images.shape == (2, 3, 224, 224)
    assert (data.images[1] == np.array([40, 50, 60])[:, None, None]).all()
    assert data.preparation[-1].startswith("shorter side to 256 pixels (bilinear), central 224x224; ")
    # What is not evaluated is not read.
    (tmp_path / "dog" / "2.png").write_text("no image")
    assert data.first(1).images.shape == (1, 3, 500, 300)


def test_broken_files_are_listed_all_at_once(tmp_path: Path) -> None:
    for index in range(3):
        save(tmp_path / "cat" / f"{index}.png", Image.fromarray(X[index]))
    whole = (tmp_path / "cat" / "0.png").read_bytes()
    (tmp_path / "cat" / "text.png").write_text("no image")
    (tmp_path / "cat" / "empty.png").write_bytes(b"")
    (tmp_path / "cat" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        RobenchError, match=r"3 images cannot be used: .*empty\.png.*text\.png.*truncated\.png"
    ) as caught:
        load(f"imagefolder:{tmp_path}").fingerprint  # noqa: B018
    assert "\n" not in str(caught.value)
    with pytest.raises(RobenchError, match="3 images cannot be used"):
        robench.evaluate("fp_resnet20", f"imagefolder:{tmp_path}", "quick")


def test_hidden_files_and_empty_folders_are_ignored_and_that_is_said(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "0.png", Image.fromarray(X[0]))
    save(tmp_path / "cat" / ".hidden.png", Image.fromarray(X[1]))
    save(tmp_path / "cat" / ".ipynb_checkpoints" / "0.png", Image.fromarray(X[1]))
    save(tmp_path / ".cache" / "0.png", Image.fromarray(X[1]))
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "notes.txt").write_text("none yet")
    data = load(f"imagefolder:{tmp_path}")
    assert (len(data), data.classes) == (1, ("cat",))
    assert data.notes[1:] == (
        "folders without images are ignored: dog",
        "hidden files and folders are ignored: .cache, cat/.hidden.png, cat/.ipynb_checkpoints",
    )


def test_splits(tmp_path: Path) -> None:
    Image.fromarray(X[0]).save((tmp_path / "only").with_suffix(".png"))
    with pytest.raises(RobenchError, match="has no training images"):
        load(f"imagefolder:{tmp_path}", "train")
    for index, split in enumerate(["train", "val"]):
        save(tmp_path / split / "cat" / "0.png", Image.fromarray(X[index]))
        if split == "train":
            with pytest.raises(RobenchError, match="neither test nor val"):
                load(f"imagefolder:{tmp_path}")
    train, test = (load(f"imagefolder:{tmp_path}", split) for split in ("train", "test"))
    assert np.array_equal(train.images[0], X[0].transpose(2, 0, 1))
    assert np.array_equal(test.images[0], X[1].transpose(2, 0, 1))


@pytest.mark.parametrize("split", ["test", "val"])
def test_test_images_alone_are_no_class_of_that_name(tmp_path: Path, split: str) -> None:
    for label, name in enumerate(["cat", "dog"]):
        save(tmp_path / split / name / "0.png", Image.fromarray(X[label]))
    assert load(f"imagefolder:{tmp_path}").classes == ("cat", "dog")
    with pytest.raises(RobenchError, match="has no training images"):
        load(f"imagefolder:{tmp_path}", "train")
    save(tmp_path / "third" / "0.png", Image.fromarray(X[0]))
    assert load(f"imagefolder:{tmp_path}").classes == tuple(sorted((split, "third")))


def test_training_images_are_resized_as_test_images_are(tmp_path: Path) -> None:
    for split, sizes in {"train": [(50, 50), (50, 50)], "test": [(40, 60), (60, 40)]}.items():
        for index, size in enumerate(sizes):
            save(tmp_path / split / "cat" / f"{index}.png", Image.new("RGB", size))
    test = load(f"imagefolder:{tmp_path}")
    calibration = load_calibration(f"imagefolder:{tmp_path}", like=test)
    assert isinstance(calibration.images, np.ndarray)
    assert calibration.images.shape == (2, 3, 224, 224)
    assert load_calibration(f"imagefolder:{tmp_path}").images.shape == (2, 3, 50, 50)
    # The other way around, they get the size of test images that stay as they are.
    train = load(f"imagefolder:{tmp_path}", "train")
    assert test.like(train).images.shape == (2, 3, 50, 50)
    assert test.like(train).preparation[-1].startswith("shorter side to 57 pixels (bilinear), central 50x50")
