"""What networks without skip connections share: convolutions, and a classifier with two hidden layers."""

from torch import Tensor, nn


class Plain(nn.Module):
    """Convolutions, then linear - batch norm - ReLU twice, then the last linear layer.

    Args:
        features: images [N, C, H, W] -> features [N, channels, h, w].
        inputs: features of an image, channels * h * w.
        hidden: units of both hidden layers.
        num_classes: of the last layer.
    """

    def __init__(self, features: nn.Sequential, inputs: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.features = features
        self.classifier = nn.Sequential(
            nn.Linear(inputs, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images [N, C, H, W] -> logits [N, num_classes]."""
        return self.classifier(self.features(x).flatten(1))
