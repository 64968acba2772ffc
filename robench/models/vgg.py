"""BinaryConnect's VGG-like network (Courbariaux et al. 2015, arXiv:1511.00363), which Merolla et al. 2016 build on."""

from torch import Tensor, nn

from robench.models import register


def _convolution(in_channels: int, out_channels: int, *, pool: bool) -> list[nn.Module]:
    layers = [nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)]
    return [*layers, *([nn.MaxPool2d(2)] if pool else []), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


class ConvNet(nn.Module):
    """2 x 128 - pool - 2 x 256 - pool - 2 x 512 - pool - 1024 - 1024 - classes; 3x3, batch norm, ReLU.

    Args:
        num_classes: of the last layer.
        width: factor on every layer's units but the last one's; 1 is the paper's network, 14M weights.
    """

    def __init__(self, num_classes: int = 10, width: float = 1.0) -> None:
        super().__init__()
        stages = [round(units * width) for units in (128, 256, 512)]
        hidden = round(1024 * width)
        layers: list[nn.Module] = []
        before = 3
        for units in stages:
            layers += _convolution(before, units, pool=False) + _convolution(units, units, pool=True)
            before = units
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(before * 4 * 4, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images [N, 3, 32, 32] -> logits [N, num_classes]."""
        return self.classifier(self.features(x).flatten(1))


@register("convnet")
def convnet(num_classes: int = 10, width: float = 1.0) -> nn.Module:
    """Six convolutions and three linear layers, for 32x32 images."""
    return ConvNet(num_classes, width)
