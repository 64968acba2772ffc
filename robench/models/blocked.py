"""Forward and backward passes whose result for an image does not depend on which images travel with it."""

import torch
from torch import nn

BLOCK = {"cpu": 64, "cuda": 512}


class Blocked(nn.Module):
    """Runs a model in blocks of one fixed size, the last one filled up with zeros.

    Kernels choose their algorithm, and with it the order of additions, by the shape of a batch; in blocks of one shape
    an image gets the same logits, bit for bit, for any batch size, order or neighbours.

    Args:
        model: pixels in [0, 1] -> logits.
        block: images in a block; by the model's device where it is not given.

    Attributes:
        slack: how far logits may be off by the model's arithmetic, as a share of the largest; 0 for float32.
    """

    def __init__(self, model: nn.Module, block: int | None = None) -> None:
        super().__init__()
        self.model = model
        self.eval()  # libraries put a model back into the mode that they found it in
        self.device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self.block = block or BLOCK[self.device.type]
        self.slack = float(getattr(model, "slack", 0.0))

    def whole_blocks(self, count: int) -> int:
        """``count`` images, rounded up to whole blocks."""
        return -(-count // self.block) * self.block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] -> [N, classes], for any N >= 1."""
        count = len(x)
        missing = -count % self.block
        if missing:
            x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
        blocks = (part.contiguous(memory_format=torch.channels_last) for part in x.split(self.block))
        return torch.cat([self.model(part) for part in blocks])[:count]
