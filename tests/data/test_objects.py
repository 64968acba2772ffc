from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset, WeightedRandomSampler
from torchvision import transforms

import robench
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.load import load
from robench.data.objects import from_object

X = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
Y = np.arange(12) % 3
NCHW = torch.from_numpy(X.transpose(0, 3, 1, 2).copy())
LABELS = torch.from_numpy(Y)
EXPECTED = from_object((X, Y))
FLOATS = TensorDataset(NCHW / 255, LABELS)


class Pairs(torch.utils.data.Dataset):
    """Items that a function makes."""

    def __init__(self, make) -> None:
        self.make = make

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> object:
        return self.make(index)


def folder_of_images(path: Path) -> Path:
    for index in range(12):
        (path / "abc"[Y[index]]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[index]).save(path / "abc"[Y[index]] / f"{index:02}.png")
    return path


OBJECTS = {
    "arrays": (X, Y),
    "arrays in a list": [X, Y],
    "tensors": (NCHW, LABELS),
    "floats": (NCHW.float() / 255, LABELS.float()),
    "doubles that need gradients": ((NCHW.double() / 255).requires_grad_(), LABELS),
    "labels in a list": (X, Y.tolist()),
    "images in a list": (list(X), list(Y)),
    "dictionary": {"x": X, "y": Y},
    "dictionary of splits": {"train": (X[:2], Y[:2]), "test": (X, Y)},
    "list of pairs": [(x, int(y)) for x, y in zip(X, Y, strict=True)],
    "TensorDataset": FLOATS,
    "Subset": Subset(FLOATS, range(12)),
    "DataLoader": DataLoader(FLOATS, batch_size=5),
    "DataLoader that shuffles": DataLoader(FLOATS, batch_size=5, shuffle=True),
    "DataLoader that samples": DataLoader(FLOATS, batch_size=5, sampler=WeightedRandomSampler([1.0] * 12, 12)),
    "DataLoader of dictionaries": DataLoader(Pairs(lambda i: {"image": NCHW[i], "label": Y[i]}), batch_size=5),
    "items with tensors": Pairs(lambda i: (NCHW[i], LABELS[i])),
    "items with photos": Pairs(lambda i: (Image.fromarray(X[i]), int(Y[i]))),
    "items in dictionaries": Pairs(lambda i: {"img": Image.fromarray(X[i]), "target": Y[i]}),
    "robench's own": EXPECTED,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_images_in_any_object_are_the_same_data(name: str) -> None:
    data = from_object(OBJECTS[name])
    assert data.fingerprint == EXPECTED.fingerprint
    assert data.classes == ("0", "1", "2")
    assert load(OBJECTS[name]).fingerprint == EXPECTED.fingerprint


def test_torchvisions_folders_with_and_without_transforms(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path)
    order = np.argsort(Y, kind="stable")
    for transform in (None, transforms.ToTensor()):
        data = from_object(torchvision.datasets.ImageFolder(folder, transform))
        assert data.classes == ("a", "b", "c")
        assert np.array_equal(data.images[:], X[order].transpose(0, 3, 1, 2))
        assert np.array_equal(data.labels, Y[order])


def test_hugging_faces_data_sets() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = {"image": [Image.fromarray(x) for x in X], "label": Y.tolist()}
    ours = datasets.Dataset.from_dict(rows, features=features)
    for thing in (ours, datasets.DatasetDict({"train": ours.select([0]), "test": ours})):
        data = from_object(thing)
        assert data.fingerprint == EXPECTED.fingerprint
        assert data.classes == ("a", "b", "c")


def test_labels_beside_the_items_are_taken_only_where_they_agree() -> None:
    items = Pairs(lambda i: (Image.fromarray(X[i]), int(Y[i])))
    items.targets = (Y + 1).tolist()  # as a target_transform makes it
    assert from_object(items).labels.tolist() == Y.tolist()
    items.targets = Y.tolist()
    assert from_object(items).labels.tolist() == Y.tolist()


def test_photos_of_several_sizes_are_resized_as_files_are() -> None:
    sizes = [(300, 400), (500, 300)]
    data = from_object([(Image.new("RGB", size), 0) for size in sizes])
    assert data.images.shape == (2, 3, 224, 224)
    assert "shorter side to 256" in data.preparation[-1]


class Endless(IterableDataset):
    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        while True:
            yield X[0], 0


class Fails(Pairs):
    def __getitem__(self, index: int) -> object:
        raise KeyError("no such file")


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        (X, r"needs labels beside the images"),
        (NCHW, r"needs labels beside the images"),
        ((X, Y[:5]), "12 images and labels of shape"),
        ((X, Y + 0.5), "must be whole numbers"),
        ((X[:0], Y[:0]), r"must be \[N, H, W, C\]"),
        ((NCHW.float() / 255 * 2 - 1, LABELS), r"must lie in \[0, 1\]"),
        ((X, [0, [1]] * 6), "have several shapes"),
        ((X, [None] * 12), "are Python objects"),
        (([X[0], X[1, :9]], [0, 1]), r"several sizes \(\(9, 32, 3\), \(32, 32, 3\)\)"),
        ([(X[0], 0), (X[1, :9], 1)], "several sizes"),
        ([], "has no images"),
        ({"x": X}, "must have x and y"),
        (Pairs(lambda i: X[i]), r"must be \(image, label\), not ndarray"),
        (Pairs(lambda i: {"image": X[i]}), "must have an image and a label, and have image"),
        (Pairs(lambda i: (np.random.default_rng().integers(0, 256, (9, 9, 3), np.uint8), 0)), "leave out transforms"),
        (Fails(None), "the data set Fails failed with KeyError"),
        (DataLoader(Pairs(lambda i: (X[i, : 10 + i], 0)), batch_size=1), "several sizes"),
        (Endless(), "list of its first items"),
        (iter([(X[0], 0)]), "list of its first items"),
        (3, r"dataset= takes a name, \(images, labels\)"),
        (None, "not a NoneType"),
    ],
)
def test_anything_else_is_one_sentence(thing: object, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence) as caught:
        load(thing)
    assert "\n" not in str(caught.value)


def test_an_object_has_no_training_images() -> None:
    with pytest.raises(RobenchError, match="needs training images"):
        load((X, Y), "train")


def test_a_path_is_taken_as_what_it_says(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=X, y=Y)
    for spec, form in ((tmp_path / "mine.npz", "npz"), (folder_of_images(tmp_path / "set"), "imagefolder")):
        with pytest.raises(RobenchError, match=f"say --dataset {form}:"):
            load(spec)


def test_evaluate_takes_objects_and_says_what_it_did(digits: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"suite": "quick", "conditions": "corruption/gaussian", "n_images": 64, "twin": "none"}
    named = robench.evaluate("digits/tr_none_nc", "digits", **settings)
    given = robench.evaluate("digits/tr_none_nc", (digits.images / np.float32(255), digits.labels + 1), **settings)
    assert given.data.fingerprint == named.data.fingerprint
    assert np.array_equal(given.measurements[0].top1, named.measurements[0].top1)
    assert given.data.preparation == "labels start at 1: shifted to start at 0 (10 classes)"
    assert [r.message for r in caplog.records].count(
        "python:arrays: labels start at 1: shifted to start at 0 (10 classes)."
    ) == 1
