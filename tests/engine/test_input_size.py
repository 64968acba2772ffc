import pytest
import timm
import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.data.resizing import InputSize
from robench.engine.classifier import Classifier
from robench.engine.input_size import input_size
from robench.engine.loaded import LoadedModel, from_module


def model(config: object) -> LoadedModel:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    module.pretrained_cfg = config
    return from_module(module, "mine")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", InputSize(224, 224, 0.95, "bilinear")),
        ("vit_tiny_patch16_224", InputSize(224, 224, 0.9, "bicubic", fixed=True)),
        ("test_convnext", InputSize(160, 160, 0.95, "bicubic")),
    ],
)
def test_of_timms_models(name: str, size: InputSize) -> None:
    with torch.device("meta"):
        network = timm.create_model(name)
    config = network.pretrained_cfg
    found = input_size(model(config))
    assert found is not None
    assert (found.width, found.height) == config["input_size"][1:]
    assert found.crop == config["crop_pct"]
    assert found.interpolation == config["interpolation"]
    assert found.fixed == size.fixed


def test_behind_a_normalisation_and_of_other_modules() -> None:
    inner = model({"input_size": (3, 64, 48)})
    wrapped = from_module(Classifier(inner.module), "wrapped")
    assert input_size(wrapped) == input_size(inner) == InputSize(48, 64, 224 / 256, "bicubic")
    assert input_size(from_module(nn.Linear(4, 2), "plain")) is None
    assert input_size(model("text")) is None
    assert input_size(model({"mean": (0.5,)})) is None


@pytest.mark.parametrize(
    "config",
    [
        {"input_size": 224},
        {"input_size": (3, 0, 224)},
        {"input_size": (3, "wide", 224)},
        {"input_size": (3, 224, 224), "crop_pct": 2},
        {"input_size": (3, 224, 224), "interpolation": "magic"},
    ],
)
def test_nonsense_is_one_sentence(config: dict) -> None:
    with pytest.raises(RobenchError, match="the pretrained_cfg of mine"):
        input_size(model(config))
