"""Published corrupted images stand for robench's own: CIFAR-10-C and ImageNet-C, as small copies."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.data.load import load
from robench.data.recorded import FILES
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.measure import measure

COUNT = 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """CIFAR-10 of 20 images, and beside it two files of CIFAR-10-C whose pixels tell corruption and severity."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, COUNT)
    np.savez(tmp_path / "cifar10_test.npz", x=rng.integers(0, 256, (COUNT, 3, 32, 32), np.uint8), y=labels)
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    np.save(folder / "labels.npy", np.tile(labels, 5))
    for place, file in enumerate(("fog", "jpeg_compression")):
        images = np.zeros((5 * COUNT, 32, 32, 3), np.uint8)
        images[..., 0] = 100 * place
        images[..., 1] = np.repeat(np.arange(1, 6), COUNT)[:, None, None]
        images[..., 2] = np.tile(np.arange(COUNT), 5)[:, None, None]
        np.save(folder / f"{file}.npy", images)
    return tmp_path


def cifar10c(home: Path) -> Dataset:
    return load(f"cifar10c:{home / 'CIFAR-10-C'}", data_dir=home)


def test_each_severity_is_where_the_files_have_it(home: Path) -> None:
    data = cifar10c(home).first(7).select(np.array([5, 2]))
    assert data.recorded is not None
    for name, red in (("fog", 0), ("jpeg", 100)):
        for severity in range(1, 6):
            images = data.recorded.of(name, severity)
            assert images.shape == (2, 3, 32, 32)  # type: ignore[union-attr]
            assert (images[:, 0] == red).all()  # type: ignore[index]
            assert (images[:, 1] == severity).all()  # type: ignore[index]
            assert images[:, 2, 0, 0].tolist() == [5, 2]  # type: ignore[index]
    assert data.recorded.of("snow", 1) is None
    assert data.recorded.of("fog", None) is None


def test_every_corruption_has_its_published_name() -> None:
    from robench.corruptions import CORRUPTIONS

    assert set(FILES) == set(CORRUPTIONS)


def test_they_are_what_is_measured_and_others_are_not_applicable(home: Path, twn_digits: ModelUnderTest) -> None:
    data = cifar10c(home)

    def measured(name: str, level: float) -> object:
        return measure(Task(twn_digits, data, Condition("corruption", name, level), 0, 0, 64))

    fog, snow = measured("fog", 3), measured("snow", 3)
    assert fog.total == COUNT  # type: ignore[attr-defined]
    assert snow.total == 0  # type: ignore[attr-defined]
    assert snow.flags == ("n/a: cifar10c has no images of it",)  # type: ignore[attr-defined]


def test_the_fingerprint_knows_them(home: Path) -> None:
    plain, first = load("cifar10", data_dir=home).fingerprint, cifar10c(home).fingerprint
    assert plain != first
    path = home / "CIFAR-10-C" / "fog.npy"
    images = np.load(path)
    images[-1, 0, 0, 0] += 1
    np.save(path, images)
    assert cifar10c(home).fingerprint != first


def test_clean_images_of_another_order_or_number_are_refused(home: Path) -> None:
    labels = np.load(home / "CIFAR-10-C" / "labels.npy")
    np.save(home / "CIFAR-10-C" / "labels.npy", (labels + 1) % 10)
    with pytest.raises(RobenchError, match="or in another order; put the official"):
        cifar10c(home)
    np.save(home / "CIFAR-10-C" / "labels.npy", labels[:50])
    with pytest.raises(RobenchError, match="is about 10 images and CIFAR-10 here"):
        cifar10c(home)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: np.save(folder / "fog.npy", np.zeros((3, 32, 32, 3), np.uint8)),
            "should hold 100 8-bit images",
        ),
        (lambda folder: (folder / "fog.npy").write_bytes(b"no array"), "is damaged"),
        (lambda folder: (folder / "labels.npy").unlink(), "holds no CIFAR-10-C"),
    ],
)
def test_damaged_files_are_one_sentence(home: Path, spoil, message: str) -> None:
    spoil(home / "CIFAR-10-C")
    with pytest.raises(RobenchError, match=message):
        cifar10c(home)


def test_a_folder_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(RobenchError, match="use --dataset cifar10c:FOLDER"):
        load("cifar10c:/nowhere")
    with pytest.raises(RobenchError, match="imagenetc:CORRUPTED,CLEAN"):
        load("imagenetc:/nowhere")


def write(folder: Path, level: int) -> None:
    for label in ("n01", "n02"):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((8, 8, 3), level + number, np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{label}_{number}.png")


def test_folders_of_imagenet_c_are_read_beside_the_clean_one(tmp_path: Path) -> None:
    write(tmp_path / "val", 10)
    for severity in (1, 2):
        write(tmp_path / "c" / "weather" / "fog" / str(severity), 100 * severity)
    data = load(f"imagenetc:{tmp_path / 'c'},{tmp_path / 'val'}").first(4)
    assert data.recorded is not None
    assert data.recorded.there == {("fog", 1), ("fog", 2)}
    assert data.images[:][:, 0, 0, 0].tolist() == [10, 10, 11, 11]
    assert data.recorded.of("fog", 2)[:][:, 0, 0, 0].tolist() == [200, 200, 201, 201]  # type: ignore[index]
    assert len(data.fingerprint) == 64
    (tmp_path / "c" / "weather" / "fog" / "2" / "n02" / "n02_1.png").unlink()
    with pytest.raises(RobenchError, match="lacks n02_1"):
        load(f"imagenetc:{tmp_path / 'c'},{tmp_path / 'val'}")
