"""The verdict on images: a float32 forward pass, and whether the label comes first, or among the first five."""

import torch
from torch import nn

from robench.core.types import Bits, Images
from robench.data.base import Dataset

CPU = torch.device("cpu")
BATCH = 512


def judge(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[Bits, Bits]:
    """Which images [N, C, H, W] are right at the first guess, and within five. Non-finite logits count as wrong."""
    # Not in inference mode: what a model keeps of a pass there, no later pass with gradients could use.
    with torch.no_grad():
        logits = model(x)
    finite = logits.isfinite().all(1)
    guesses = logits.topk(min(5, logits.shape[1]), dim=1).indices == y[:, None]
    top1 = (logits.argmax(1) == y) & finite
    return top1.cpu().numpy(), ((guesses.any(1) & finite) | top1).cpu().numpy()


def count_correct(model: nn.Module, data: Dataset, device: torch.device = CPU) -> int:
    """How many images of a data set the model, in the mode in which it is, classifies right."""
    labels = torch.from_numpy(data.labels).to(device).split(BATCH)
    starts = range(0, len(data), BATCH)
    pixels = (to_pixels(data.images[start : start + BATCH], device) for start in starts)
    return sum(int(judge(model, x, y)[0].sum()) for x, y in zip(pixels, labels, strict=True))


def to_pixels(images: Images, device: torch.device) -> torch.Tensor:
    """uint8 images -> float32 in [0, 1] on the device."""
    return torch.from_numpy(images).to(device).float() / 255


def near_chance(correct: int, total: int, classes: int) -> bool:
    """Whether accuracy is no better than twice chance, or than 10 points above it; never so for two classes."""
    return classes > 2 and correct / total <= min(2 / classes, 1 / classes + 0.1)
