"""A model as it is measured, and the verdict on images."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import nn

from robench.core.types import Bits, Images, ModelCard
from robench.data.base import Dataset
from robench.models.blocked import Blocked

T = TypeVar("T")
CPU = torch.device("cpu")
BATCH = 512


@dataclass(frozen=True, eq=False)
class Subject:
    """A model as it is measured.

    Attributes:
        card: what is known of it.
        model: pixels in [0, 1] -> logits, in blocks, as it was loaded.
        exact: the same function in float32, with batch norm folded where that can be; every verdict is its own.
        gradients: the same again, perhaps in bfloat16; attacks take their gradients from it.
        patient: attacks take all of their steps on it, also on images that are out of reach.
        lowbit: names of the layers whose weights are deployed in low bits.
        fingerprint: of its weights, predictions and precision; decides whether a stored measurement is its own.
        memory: what several measurements share, such as which images are right without an attack.
    """

    card: ModelCard
    model: Blocked
    exact: Blocked
    gradients: Blocked
    patient: bool
    lowbit: frozenset[str]
    fingerprint: str
    memory: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def remembered(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gave the first time that ``key`` was asked for; it lives as long as the subject."""
        if key not in self.memory:
            self.memory[key] = compute()
        return self.memory[key]

    @contextmanager
    def patience(self, patient: bool) -> Iterator[None]:
        """As long as the block lasts, attacks take all of their steps, or leave alone what is out of reach."""
        before = self.exact.patient
        self.exact.patient = self.gradients.patient = patient
        try:
            yield
        finally:
            self.exact.patient = self.gradients.patient = before


def judge(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[Bits, Bits]:
    """Which images [N, C, H, W] are right at the first guess, and within five. Non-finite logits count as wrong."""
    with torch.inference_mode():
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
