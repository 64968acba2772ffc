"""ResNet-20 with binary activations: every inner convolution sees signs alone.

A shortcut around each convolution keeps the real-valued signal (Bi-Real Net, Liu et al. 2018, arXiv:1808.00278).
"""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from robench.architectures import register


def sign(x: torch.Tensor) -> torch.Tensor:
    """+1 where x >= 0, else -1; backward, the identity where |x| < 1 and 0 elsewhere (hard tanh, straight-through)."""
    bounded = x.clamp(-1, 1)
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype) + (bounded - bounded.detach())


class BinaryUnit(nn.Module):
    """Signs, a convolution and batch norm, with a shortcut: pooled, channels doubled, where shapes change."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = out_channels - in_channels
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C_in, H, W] -> [N, C_out, H / stride, W / stride]."""
        shortcut = avg_pool2d(x, self.stride) if self.stride > 1 else x
        if self.new_channels:
            shortcut = torch.cat([shortcut, shortcut], 1)
        return self.bn(self.conv(sign(x))) + shortcut


class BinaryResNet(nn.Module):
    """A full-precision convolution, 18 binary units of 16, 32 and 64 channels, average pooling, a linear layer."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        shapes = [(16, 16, 1)] * 6 + [(16, 32, 2)] + [(32, 32, 1)] * 5 + [(32, 64, 2)] + [(64, 64, 1)] * 5
        self.units = nn.Sequential(*(BinaryUnit(*shape) for shape in shapes))
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised images [N, 3, H, W] -> logits [N, num_classes]."""
        x = self.units(self.bn1(self.conv1(x)))
        return self.fc(x.mean((2, 3)))


@register("binary_resnet20")
def binary_resnet20(num_classes: int = 10) -> nn.Module:
    """20 layers, 0.27M weights, binary activations; binary weights come from a quantizer such as ``bwn``."""
    return BinaryResNet(num_classes)
