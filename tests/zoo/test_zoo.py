import dataclasses
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from robench import zoo
from robench.architectures import ARCHITECTURES
from robench.core.errors import RobenchError
from robench.zoo.add import write_card

EVERY = [(dataset, name) for dataset, models in zoo.names().items() for name in models]


@pytest.mark.parametrize(("dataset", "name"), EVERY)
def test_every_model_loads_and_fits_its_card(dataset: str, name: str) -> None:
    loaded = zoo.load(name, dataset, 10)
    assert (loaded.card.name, loaded.card.dataset) == (name, dataset)
    assert (loaded.card.bits == 32) == (not any(w.is_coded for w in loaded.stored.values()))
    assert not loaded.module.training
    for key, stored in loaded.stored.items():
        if stored.is_coded:
            assert all(len(row.unique()) <= 2**loaded.card.bits for row in loaded.module.state_dict()[key])
    made = loaded.card.training
    if begun := made.get("of") or made.get("start"):  # with the twin itself, or with a low-bit model of the same twin
        assert loaded.card.twin in (begun, zoo.load(begun, dataset, 10).card.twin)
    elif loaded.card.twin:
        twin = zoo.load(loaded.card.twin, dataset, 10).card
        budget = ["epochs", "batch_size", "source", "seed"]
        budget += [] if loaded.card.training.get("clip") else ["learning_rate"]  # a clip needs a smaller one
        assert twin.architecture == loaded.card.architecture
        assert [twin.training[key] for key in budget] == [loaded.card.training[key] for key in budget]


def test_an_unknown_model_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean twn_resnet20"):
        zoo.load("twn_resnet2", "digits", 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(zoo.root() / "digits" / "twn_resnet20", tmp_path / "model"))


def test_a_folder_loads_by_path(folder: Path) -> None:
    card = zoo.load(str(folder), "cifar10", 10).card
    assert (card.name, card.twin, card.quantizer) == (str(folder), "fp_resnet20", "twn")


def test_a_damaged_weights_file_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(RobenchError, match="is damaged: its sha256"):
        zoo.load(str(folder), "digits", 10)


def test_a_missing_weights_file_is_one_sentence(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(RobenchError, match="there is no weights file"):
        zoo.load(str(folder), "digits", 10)


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    write_card(dataclasses.replace(zoo.read_card(folder), architecture="resnet32"), folder)
    with pytest.raises(RobenchError, match="do not fit the model"):
        zoo.load(str(folder), "digits", 10)


FACTORY = """
import torch
from robench.architectures.resnet import resnet20

def make():
    return resnet20(10)

def fails():
    raise KeyError("x")

def number():
    return 3
"""


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(FACTORY)
    return str(tmp_path / "mine.py")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_factory_of_the_users_loads_with_a_checkpoint(suffix: str, factory: str, tmp_path: Path) -> None:
    source = ARCHITECTURES["resnet20"](num_classes=10)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in source.state_dict().items()}}, path)
    else:
        save_file(source.state_dict(), path)
    loaded = zoo.load(f"{factory}:make", "cifar10", 10, path)
    assert torch.equal(loaded.module.fc.weight, source.fc.weight)
    assert loaded.card.weights == 268_336


def test_a_module_on_the_path_loads(factory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert zoo.load("mine:make", "cifar10", 10).card.name == "mine:make"


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("fails", "failed with KeyError"),
        ("number", "must give a torch.nn.Module"),
        ("nothing", "no function 'nothing'"),
    ],
)
def test_a_factory_that_does_not_work_is_one_sentence(function: str, sentence: str, factory: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        zoo.load(f"{factory}:{function}", "cifar10", 10)


def test_a_file_without_a_function_says_which_it_has(factory: str) -> None:
    with pytest.raises(RobenchError, match=r"mine.py:NAME \(it has make, fails, number\)"):
        zoo.load(factory, "cifar10", 10)


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(RobenchError, match="there is no file"):
        zoo.load("nowhere/mine.py:make", "cifar10", 10)


class Evil:
    """A pickle that runs code."""

    def __reduce__(self) -> tuple:
        return (print, ("the code ran",))


def test_a_pickle_that_wants_to_run_code_is_refused(
    factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, dump in (
        ("a.pt", lambda path: torch.save(Evil(), path)),
        ("b.pt", lambda path: path.write_bytes(pickle.dumps(Evil()))),
    ):
        dump(tmp_path / name)
        with pytest.raises(RobenchError, match=r"it holds more than tensors|a pickle that torch has not written"):
            zoo.load(f"{factory}:make", "cifar10", 10, tmp_path / name)
    assert "the code ran" not in capsys.readouterr().out


def test_a_checkpoint_that_does_not_fit_is_one_sentence(factory: str, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "w.pt")
    with pytest.raises(RobenchError, match="do not fit the model"):
        zoo.load(f"{factory}:make", "cifar10", 10, tmp_path / "w.pt")
    with pytest.raises(RobenchError, match="there is no checkpoint"):
        zoo.load(f"{factory}:make", "cifar10", 10, tmp_path / "none.pt")


def test_a_timm_model_with_a_checkpoint(tmp_path: Path) -> None:
    import timm

    source = timm.create_model("test_resnet", num_classes=10)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    loaded = zoo.load("timm:test_resnet", "cifar10", 10, tmp_path / "w.pt")
    x = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(source.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        torch.testing.assert_close(loaded.module(x), source.eval()((x - mean) / std))


def test_an_unknown_timm_model_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean resnet18"):
        zoo.load("timm:resnet18x", "cifar10", 10)


def test_a_checkpoint_for_a_zoo_model_is_refused() -> None:
    with pytest.raises(RobenchError, match="brings its own weights"):
        zoo.load("twn_resnet20", "digits", 10, Path("w.pt"))
