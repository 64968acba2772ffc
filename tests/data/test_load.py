import hashlib
import pickle
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import robench
from robench.core.errors import NotHereError, RobenchError
from robench.data import cifar10 as cifar10_module
from robench.data import official
from robench.data.base import Dataset
from robench.data.choose import choose
from robench.data.load import load

X = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
Y = np.arange(12) % 10


def test_digits_are_the_real_ones_enlarged(digits: Dataset) -> None:
    from sklearn.datasets import load_digits

    assert len(digits) == 1000
    assert len(load("digits", "train")) == 797
    small = load_digits().images[797]
    assert np.array_equal(digits.images[0, 0, ::4, ::4], np.rint(small * 255 / 16))
    assert (digits.images[:, 0] == digits.images[:, 2]).all()
    assert digits.images.max() == 255


def test_fingerprint_is_of_pixels_and_labels(digits: Dataset) -> None:
    first = digits.first(10)
    assert first.fingerprint == digits.first(10).fingerprint
    changed = first.images.copy()
    changed[3, 0, 0, 0] ^= 1
    others = [
        digits.first(11),
        Dataset("digits", "", changed, first.labels, first.classes),
        Dataset("digits", "", first.images, (first.labels + 1) % 10, first.classes),
    ]
    assert first.fingerprint not in {other.fingerprint for other in others}
    assert digits.fingerprint.startswith("e08288cbf905")


@pytest.mark.parametrize("n", [0, -3, 1001])
def test_more_images_than_there_are_is_one_sentence(n: int, digits: Dataset) -> None:
    with pytest.raises(RobenchError, match="has 1000 images; ask for 1 to 1000"):
        digits.first(n)


def write_batches(folder: Path) -> None:
    folder.mkdir(parents=True)
    batch = {b"data": X.transpose(0, 3, 1, 2).reshape(12, -1), b"labels": Y.tolist()}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_cifar10_from_official_batches(inside: str, tmp_path: Path) -> None:
    write_batches(tmp_path / "data" / inside)
    data = load("cifar10", data_dir=tmp_path / "data")
    assert np.array_equal(data.images, X.transpose(0, 3, 1, 2))
    assert data.classes[3] == "cat"


def test_cifar10_batches_that_want_to_run_code_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (print, ("the code ran",))

    (tmp_path / "test_batch").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(RobenchError, match="not an official CIFAR-10 batch"):
        load("cifar10", data_dir=tmp_path)
    assert "the code ran" not in capsys.readouterr().out


def test_cifar10_from_npz_prefers_exact_pixels(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar10_test.npz", x=X, y=Y)
    np.savez(tmp_path / "cifar10_test_exact.npz", x=X[:5], y=Y[:5])
    assert len(load("cifar10", data_dir=tmp_path)) == 5


def test_cifar10_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "cifar10_test.npz", x=X, y=Y)
    monkeypatch.setenv("ROBENCH_DATA", str(tmp_path))
    assert load("cifar10").source == "cifar10_test.npz"


def test_cifar10_nowhere_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RobenchError, match="there is no CIFAR-10 test set in"):
        load("cifar10", data_dir=tmp_path)
    monkeypatch.delenv("ROBENCH_DATA", raising=False)
    monkeypatch.setattr(official, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(cifar10_module, "URL", "http://127.0.0.1:9/cifar.tar.gz")
    with pytest.raises(RobenchError, match="could not be downloaded; give its folder"):
        load("cifar10")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served over HTTP, with CIFAR-10's archive expected in it."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        monkeypatch.delenv("ROBENCH_DATA", raising=False)
        monkeypatch.setattr(official, "cache_dir", lambda: tmp_path / "cache")
        monkeypatch.setattr(cifar10_module, "URL", f"http://127.0.0.1:{httpd.server_port}/cifar.tar.gz")
        yield folder
        httpd.shutdown()


def test_cifar10_is_downloaded_checked_and_found_again(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_batches(server / "cifar-10-batches-py")
    with tarfile.open(server / "cifar.tar.gz", "w:gz") as archive:
        archive.add(server / "cifar-10-batches-py", "cifar-10-batches-py")
    checksum = hashlib.md5((server / "cifar.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10_module, "MD5", checksum)
    assert len(load("cifar10")) == 12
    (server / "cifar.tar.gz").unlink()
    assert len(load("cifar10")) == 12


def test_a_page_instead_of_the_archive_is_one_sentence(server: Path) -> None:
    (server / "cifar.tar.gz").write_text("<html>moved</html>")
    with pytest.raises(RobenchError, match="could not be downloaded; give its folder"):
        load("cifar10")


@pytest.mark.parametrize("spec", ["imagefolder:/nowhere", "imagefolder:", "npz:"])
def test_a_path_that_is_not_there_is_one_sentence(spec: str) -> None:
    with pytest.raises(RobenchError, match=r"there is no folder|say which file"):
        load(spec)


def test_an_unknown_data_set_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean cifar10"):
        load("cifar_10")


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cifar10_test_exact.npz").write_bytes(b"not an archive")
    monkeypatch.setenv("ROBENCH_DATA", str(tmp_path))
    return tmp_path


def test_damaged_data_is_no_reason_to_take_other_data(damaged: Path) -> None:
    with pytest.raises(RobenchError, match="cannot be read as") as caught:
        choose("auto", {"cifar10", "digits"}, None)
    assert not isinstance(caught.value, NotHereError)
    with pytest.raises(RobenchError, match="cannot be read as"):
        robench.evaluate("twn_resnet20", suite="quick")


def test_a_cifar_batch_that_is_none_is_damaged_not_missing(tmp_path: Path) -> None:
    (tmp_path / "test_batch").write_bytes(b"\x80\x04N.")
    with pytest.raises(RobenchError, match="is not an official CIFAR-10 batch") as caught:
        load("cifar10", data_dir=tmp_path)
    assert not isinstance(caught.value, NotHereError)


def test_what_is_not_here_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="there is no CIFAR-10 test set"):
        load("cifar10", data_dir=tmp_path)


def test_auto_takes_what_all_models_were_made_for(digits: Dataset) -> None:
    assert choose("auto", {"digits"}, None)[0].name == "digits"
    assert choose("digits", {"cifar10"}, None)[1] == ""
