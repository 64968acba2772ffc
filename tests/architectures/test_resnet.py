import pytest
import torch

from robench.architectures import ARCHITECTURES
from robench.engine.layers import weighted_layers


@pytest.mark.parametrize(
    ("name", "layers", "parameters"),
    [("resnet20", 20, 0.27), ("resnet32", 32, 0.46), ("resnet44", 44, 0.66), ("resnet56", 56, 0.85)],
)
def test_depth_and_size_are_the_papers(name: str, layers: int, parameters: float) -> None:
    model = ARCHITECTURES[name](num_classes=10)
    assert len(weighted_layers(model)) == layers
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(parameters, abs=0.006)


def test_option_a_shortcut_subsamples_and_pads_with_zeros() -> None:
    block = ARCHITECTURES["resnet20"](num_classes=10).layer2[0]
    x = torch.rand(1, 16, 8, 8)
    shortcut = block._shortcut(x)
    assert shortcut.shape == (1, 32, 4, 4)
    assert torch.equal(shortcut[:, 8:24], x[:, :, ::2, ::2])
    assert shortcut[:, :8].abs().sum() == shortcut[:, 24:].abs().sum() == 0


def test_other_sizes_and_class_counts_work() -> None:
    assert ARCHITECTURES["resnet20"](num_classes=7).eval()(torch.rand(2, 3, 40, 48)).shape == (2, 7)
