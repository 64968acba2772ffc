"""Into the zoo and checked there: checkpoints of several makers, and folders that do not keep their word."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.types import ModelCard
from robench.data.base import Dataset
from robench.zoo import add as adding
from robench.zoo import verify as verifying
from robench.zoo.verify import verify

EVERY = [(dataset, name) for dataset, models in zoo.names().items() for name in models]
CARD = ModelCard("mine", "digits", "resnet20", "twn", mean=(0.5,), std=(0.5,), twin="")


@pytest.mark.parametrize(("dataset", "name"), EVERY)
def test_every_model_of_the_zoo_keeps_what_its_card_says(dataset: str, name: str) -> None:
    found = verify(zoo.root() / dataset / name)
    assert not found.wrong
    assert "%" in found.accuracy
    assert dataset != "digits" or not found.unchecked


def test_accuracy_that_was_not_checked_is_said(tmp_path: Path) -> None:
    found = verify(zoo.root() / "cifar10" / "twn_resnet20", tmp_path)
    assert (found.wrong, found.unchecked) == ([], "cifar10 is not here")
    (tmp_path / "cifar10_test_exact.npz").write_bytes(b"no npz")
    found = verify(zoo.root() / "cifar10" / "twn_resnet20", tmp_path)
    assert "accuracy cannot be checked" in found.wrong[0]


def deployed(dataset: str, name: str) -> dict[str, torch.Tensor]:
    return zoo.load(name, dataset, 10).module.network.state_dict()


@pytest.mark.parametrize("name", ["fp_resnet20", "bc_resnet20", "bwn_resnet20", "twn_resnet20", "ttq_resnet20"])
def test_a_plain_checkpoint_of_deployed_weights_is_packed_bit_for_bit(name: str, tmp_path: Path) -> None:
    state = deployed("digits", name)
    torch.save({"epoch": 1, "state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "c.pt")
    known = zoo.read_card(zoo.root() / "digits" / name)
    card = dataclasses.replace(CARD, quantizer="theirs")
    card = adding.add(card, tmp_path / "c.pt", tmp_path / "zoo" / "digits" / "mine")
    assert (card.bits, card.weights, card.test) == (known.bits, known.weights, known.test)
    assert card.stored_bytes < 1.2 * known.stored_bytes
    added = zoo.load_folder(tmp_path / "zoo" / "digits" / "mine").module.network.state_dict()
    assert all(torch.equal(added[key], value) for key, value in state.items())
    assert verify(tmp_path / "zoo" / "digits" / "mine").wrong == []


def test_latent_weights_go_through_the_quantizer(tmp_path: Path) -> None:
    torch.save(deployed("digits", "fp_resnet20"), tmp_path / "c.pt")
    card = dataclasses.replace(CARD, quantizer="twn")
    with pytest.raises(RobenchError, match="near chance"):  # ternarized without training
        adding.add(card, tmp_path / "c.pt", tmp_path / "digits" / "mine")
    assert not (tmp_path / "digits" / "mine").exists()


def test_other_names_are_matched_by_order_and_shape(tmp_path: Path) -> None:
    state = deployed("digits", "twn_resnet20")
    renamed = {f"body.{index}.{key.rpartition('.')[2]}": value for index, (key, value) in enumerate(state.items())}
    torch.save({key: value for key, value in renamed.items() if "tracked" not in key}, tmp_path / "c.pt")
    assert adding.add(CARD, tmp_path / "c.pt", tmp_path / "digits" / "mine").test["correct"] == 989


def test_a_checkpoint_that_does_not_fit_says_where(tmp_path: Path) -> None:
    state = deployed("digits", "twn_resnet20")
    torch.save({"a.weight": torch.zeros(3)}, tmp_path / "c.pt")
    with pytest.raises(
        RobenchError, match=r"tensor 1 is a.weight \[3\] there and network.conv1.weight \[16, 3, 3, 3\]"
    ):
        adding.add(CARD, tmp_path / "c.pt", tmp_path / "digits" / "mine")
    torch.save({f"x.{key}": value for key, value in list(state.items())[:-1]}, tmp_path / "c.pt")
    with pytest.raises(RobenchError, match="holds 96 tensors, and the architecture has 97"):
        adding.add(CARD, tmp_path / "c.pt", tmp_path / "digits" / "mine")


FACTORY = """
from robench.engine.classifier import Classifier
from robench.architectures.resnet import resnet20

def make():
    return Classifier(resnet20(10), (0.5,), (0.5,))
"""


def test_a_factory_travels_with_its_model(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(FACTORY)
    torch.save(deployed("digits", "bwn_resnet20"), tmp_path / "c.pt")
    folder = tmp_path / "digits" / "mine"
    card = dataclasses.replace(CARD, architecture="model.py:make", quantizer="bwn")
    card = adding.add(card, tmp_path / "c.pt", folder, code=tmp_path / "theirs.py")
    (tmp_path / "theirs.py").unlink()
    assert (card.bits, card.test["correct"]) == (1, 988)
    assert "say --trust" in verify(folder).wrong[0]
    assert verify(folder, trust=True).wrong == []


def test_a_timm_model_goes_in(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    torch.save(timm.create_model("test_resnet", num_classes=10).state_dict(), tmp_path / "c.pt")
    for module in (adding, verifying):
        monkeypatch.setattr(module, "count_correct", lambda module, data: 900)  # it is untrained
    card = dataclasses.replace(CARD, architecture="timm:test_resnet", quantizer="fp")
    assert adding.add(card, tmp_path / "c.pt", tmp_path / "digits" / "mine").bits == 32
    assert verify(tmp_path / "digits" / "mine").wrong == []


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="is there already"):
        adding.add(CARD, tmp_path / "c.pt", tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(zoo.root() / "digits" / "fp_resnet20", tmp_path / "digits" / "fp_resnet20")
    return Path(shutil.copytree(zoo.root() / "digits" / "twn_resnet20", tmp_path / "digits" / "twn_resnet20"))


def test_a_card_that_is_right_is_not_blamed(folder: Path) -> None:
    assert verify(folder).wrong == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bits": 1}, "not of 1 bits"),
        ({"bits": 32}, "not of 32 bits"),
        ({"name": "x"}, "its card says digits/x"),
        ({"stored_bytes": 5}, "the card says 5 bytes"),
        ({"twin": "nobody"}, "its twin nobody is not in the zoo"),
        ({"sha256": "0"}, "is damaged"),
        ({"test": {"correct": 900}}, "it gets 989 of 1000 images right, and the card says 900"),
    ],
)
def test_a_card_that_is_wrong_is_found(changes: dict, sentence: str, folder: Path) -> None:
    card = zoo.read_card(folder)
    if "test" in changes:
        changes = {"test": card.test | changes["test"]}
    adding.write_card(dataclasses.replace(card, **changes), folder)
    (found,) = verify(folder).wrong
    assert sentence in found


QAT = """
import torch
from torch import nn
from robench import zoo

class FourBits(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        step = self.conv.weight.abs().amax() / 7
        weight = self.conv.weight + ((self.conv.weight / step).round() * step - self.conv.weight).detach()
        return nn.functional.conv2d(x, weight, self.conv.bias, self.conv.stride, self.conv.padding)

def make():
    model = zoo.load("tr_none_nc", "digits", 10).module
    for name, module in [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]:
        model.set_submodule(name, FourBits(module))
    return model
"""


def test_low_bits_that_the_code_makes_are_stored_as_codes(tmp_path: Path) -> None:
    """The folder has the codes, not the latent weights, and they are what is loaded."""
    (tmp_path / "theirs.py").write_text(QAT)
    made = zoo.load(f"{tmp_path / 'theirs.py'}:make", "digits", 10).module
    torch.save(made.state_dict(), tmp_path / "c.pt")
    folder = tmp_path / "digits" / "mine"
    card = dataclasses.replace(CARD, architecture="model.py:make", quantizer="theirs")
    card = adding.add(card, tmp_path / "c.pt", folder, code=tmp_path / "theirs.py")
    fp = zoo.read_card(zoo.root() / "digits" / "tr_none_nc")
    assert (card.bits, card.weights) == (4, fp.weights)
    assert card.stored_bytes < fp.stored_bytes
    loaded = zoo.load_folder(folder, trust=True)
    assert {stored.bits for stored in loaded.stored.values()} == {4, 32}
    x = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.module(x), made(x), rtol=1e-4, atol=1e-4)
    assert verify(folder, trust=True).wrong == []
