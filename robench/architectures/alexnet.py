"""A network like AlexNet (Krizhevsky et al. 2012) for images of any size, with batch norm."""

from torch import nn

from robench.architectures import register
from robench.architectures.plain import Plain


@register("alexnet")
def alexnet(num_classes: int = 10, width: float = 1.0, stride: int = 1) -> nn.Module:
    """Five convolutions of 64, 192, 384, 256 and 256 channels, pooled after the first, second and fifth; three linear.

    Args:
        num_classes: of the last layer.
        width: factor on every layer's units but the last one's; 1 gives AlexNet's channels, and half its hidden units.
        stride: of the first convolution: 1 for images of 32 pixels, 4 for those of 224.
    """
    channels = [round(units * width) for units in (64, 192, 384, 256, 256)]
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(zip([3, *channels], channels, strict=False)):
        kernel, step = (2 * stride + 1, stride) if index == 0 else (3, 1)
        layers += [nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(after)]
        layers += [nn.ReLU(inplace=True), *([nn.MaxPool2d(2)] if index in (0, 1, 4) else [])]
    features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4))
    return Plain(features, channels[-1] * 16, round(2048 * width), num_classes)
