import pytest
import torch

from robench.architectures import ARCHITECTURES
from robench.engine.layers import weighted_layers


def test_width_one_has_the_channels_of_alexnet() -> None:
    layers = weighted_layers(ARCHITECTURES["alexnet"](num_classes=10))
    assert [layer.weight.shape[0] for layer in layers.values()] == [64, 192, 384, 256, 256, 2048, 2048, 10]


@pytest.mark.parametrize(("size", "stride"), [(32, 1), (64, 1), (224, 4)])
def test_images_of_any_size_fit(size: int, stride: int) -> None:
    network = ARCHITECTURES["alexnet"](num_classes=7, width=0.0625, stride=stride).eval()
    assert network(torch.rand(2, 3, size, size)).shape == (2, 7)
