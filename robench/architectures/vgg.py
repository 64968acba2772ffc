"""BinaryConnect's VGG-like network (Courbariaux et al. 2015, arXiv:1511.00363), which Merolla et al. 2016 build on."""

from torch import nn

from robench.architectures import register
from robench.architectures.plain import Plain


def _convolution(in_channels: int, out_channels: int, *, pool: bool) -> list[nn.Module]:
    layers = [nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)]
    return [*layers, *([nn.MaxPool2d(2)] if pool else []), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


@register("convnet")
def convnet(num_classes: int = 10, width: float = 1.0) -> nn.Module:
    """2 x 128 - pool - 2 x 256 - pool - 2 x 512 - pool - 1024 - 1024 - classes; 3x3, batch norm, ReLU; 32x32 images.

    Args:
        num_classes: of the last layer.
        width: factor on every layer's units but the last one's; 1 is the paper's network, 14M weights.
    """
    layers: list[nn.Module] = []
    before = 3
    for units in (round(units * width) for units in (128, 256, 512)):
        layers += _convolution(before, units, pool=False) + _convolution(units, units, pool=True)
        before = units
    return Plain(nn.Sequential(*layers), before * 4 * 4, round(1024 * width), num_classes)
