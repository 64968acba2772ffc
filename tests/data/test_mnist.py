import gzip
import hashlib
import pickle
import struct
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torchvision

from robench.core.errors import NotHereError, RobenchError
from robench.data import cifar100, mnist, official
from robench.data.load import load

X = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
Y = (np.arange(12) % 10).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write(folder: Path, labels: np.ndarray = Y) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(X))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(labels))


def test_checksums_are_torchvisions() -> None:
    for edition, theirs in (
        (mnist.MNIST, torchvision.datasets.MNIST),
        (mnist.FASHION, torchvision.datasets.FashionMNIST),
    ):
        assert {f"{name}.gz": md5 for name, md5 in edition.md5.items()} == dict(theirs.resources)
        assert edition.url in theirs.mirrors
    assert torchvision.datasets.CIFAR100.tgz_md5 == cifar100.MD5
    assert cifar100.BATCHES["test"]["test"] == torchvision.datasets.CIFAR100.test_list[0][1]


@pytest.mark.parametrize(
    ("name", "place"),
    [("mnist", "MNIST/raw"), ("mnist", "."), ("fashion_mnist", "FashionMNIST/raw"), ("fashion_mnist", "fashion_mnist")],
)
def test_the_usual_files_are_found(name: str, place: str, tmp_path: Path) -> None:
    write(tmp_path / place)
    data = load(name, data_dir=tmp_path)
    assert np.array_equal(data.images[:, 0], X)
    assert np.array_equal(data.labels, Y)
    with pytest.raises(NotHereError, match=r"there is no .*MNIST train set in"):
        load(name, "train", tmp_path)


def test_the_npz_of_keras_is_found(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", x_train=X[:8], y_train=Y[:8], x_test=X[8:], y_test=Y[8:])
    assert len(load("mnist", "train", tmp_path)) == 8
    assert np.array_equal(load("mnist", "test", tmp_path).images[:, 0], X[8:])


def test_the_files_of_the_other_set_are_known_by_their_labels(tmp_path: Path) -> None:
    write(tmp_path, np.array([*mnist.MNIST.start["test"], 0, 0], np.uint8))
    assert len(load("mnist", data_dir=tmp_path)) == 12
    with pytest.raises(RobenchError, match="are of MNIST; name the other folder"):
        load("fashion_mnist", data_dir=tmp_path)


@pytest.mark.parametrize(
    "content", [b"hello", idx(X)[:-1], idx(X)[:7], struct.pack(">4I", 0x0803, 2**31, 2**31, 2**31), idx(Y)]
)
def test_a_damaged_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(RobenchError, match="is not an official MNIST file"):
        load("mnist", data_dir=tmp_path)


def test_a_compressed_file_must_be_the_official_one(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(X)))
    with pytest.raises(RobenchError, match="its md5 is another"):
        load("mnist", data_dir=tmp_path)


def test_what_is_not_here_is_downloaded_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = tmp_path / "served"
    served.mkdir()
    arrays = dict(zip(mnist.FILES["test"], (idx(X), idx(Y)), strict=True))
    packed = {name: gzip.compress(content) for name, content in arrays.items()}
    for name, content in packed.items():
        (served / f"{name}.gz").write_bytes(content)
    monkeypatch.delenv("ROBENCH_DATA", raising=False)
    monkeypatch.setattr(official, "cache_dir", lambda: tmp_path / "cache")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(served))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        md5 = {name: hashlib.md5(content).hexdigest() for name, content in packed.items()}
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(mnist, "MNIST", replace(mnist.MNIST, url=url, md5=md5))
        assert np.array_equal(load("mnist").images[:, 0], X)
        server.shutdown()
    assert len(load("mnist")) == 12  # from the cache


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar100"])
def test_without_a_network_it_is_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROBENCH_DATA", raising=False)
    monkeypatch.setattr(official, "cache_dir", lambda: tmp_path)
    nowhere = "http://127.0.0.1:9/"
    monkeypatch.setattr(mnist, "MNIST", replace(mnist.MNIST, url=nowhere))
    monkeypatch.setattr(mnist, "FASHION", replace(mnist.FASHION, url=nowhere))
    monkeypatch.setattr(cifar100, "URL", f"{nowhere}c.tar.gz")
    with pytest.raises(NotHereError, match="is not on this machine and could not be downloaded"):
        load(name)


@pytest.mark.parametrize("inside", ["", "cifar-100-python"])
def test_cifar100_from_its_batches(inside: str, tmp_path: Path) -> None:
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    images = np.random.default_rng(0).integers(0, 256, (5, 3072)).astype(np.uint8)
    batch = {b"data": images, b"fine_labels": [99, 0, 5, 5, 1], b"coarse_labels": [1] * 5}
    (folder / "test").write_bytes(pickle.dumps(batch, protocol=2))
    data = load("cifar100", data_dir=tmp_path)
    assert np.array_equal(data.images.reshape(5, -1), images)  # type: ignore[union-attr]
    assert [data.classes[label] for label in data.labels] == ["worm", "apple", "bed", "bed", "aquarium_fish"]
    assert data.source == "cifar-100-python (not the official files)"
    (folder / "test").write_bytes(pickle.dumps(batch | {b"fine_labels": [100] * 5}, protocol=2))
    with pytest.raises(RobenchError, match="is not an official CIFAR-100 batch"):
        load("cifar100", data_dir=tmp_path)


def test_cifar100_from_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar100_test.npz", x=np.zeros((2, 32, 32, 3), np.uint8), y=[3, 99])
    assert len(load("cifar100", data_dir=tmp_path).classes) == 100
