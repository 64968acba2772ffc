"""CIFAR ResNets (He et al. 2015, section 4.2, arXiv:1512.03385): 6n+2 layers for 32x32 images, option-A shortcuts."""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, pad, relu

from robench.architectures import register


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a parameter-free shortcut: subsampled, new channels filled with zeros (option A)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = out_channels - in_channels
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def _shortcut(self, x: torch.Tensor) -> torch.Tensor:
        """Pooling of single pixels subsamples as a slice does, and its gradient keeps the memory format."""
        if self.stride == 1 and not self.new_channels:
            return x
        before = self.new_channels // 2
        return pad(avg_pool2d(x, 1, self.stride), (0, 0, 0, 0, before, self.new_channels - before))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C_in, H, W] -> [N, C_out, H / stride, W / stride]."""
        hidden = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(hidden)) + self._shortcut(x))


class CifarResNet(nn.Module):
    """Three stages of ``blocks`` basic blocks with 16, 32 and 64 channels, global average pooling, one linear layer."""

    def __init__(self, blocks: int, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(blocks, 16, 16, stride=1)
        self.layer2 = self._stage(blocks, 16, 32, stride=2)
        self.layer3 = self._stage(blocks, 32, 64, stride=2)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(blocks: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
        first = BasicBlock(in_channels, out_channels, stride)
        return nn.Sequential(first, *(BasicBlock(out_channels, out_channels, 1) for _ in range(blocks - 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised images [N, 3, H, W] -> logits [N, num_classes]."""
        x = relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


@register("resnet20")
def resnet20(num_classes: int = 10) -> nn.Module:
    """20 layers, 0.27M weights."""
    return CifarResNet(3, num_classes)


@register("resnet32")
def resnet32(num_classes: int = 10) -> nn.Module:
    """32 layers, 0.46M weights."""
    return CifarResNet(5, num_classes)


@register("resnet44")
def resnet44(num_classes: int = 10) -> nn.Module:
    """44 layers, 0.66M weights."""
    return CifarResNet(7, num_classes)


@register("resnet56")
def resnet56(num_classes: int = 10) -> nn.Module:
    """56 layers, 0.85M weights."""
    return CifarResNet(9, num_classes)
