"""Forward and backward passes whose result for an image does not depend on which images travel with it."""

import atexit
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

import torch
from torch import nn

T = TypeVar("T")
BLOCK = {"cpu": (64,), "cuda": (512,)}
FILLED = 0.75
"""Minimum fill of a round of blocks; below it, the next smaller size is used."""
FULL = {"cpu": 128, "cuda": 512}
"""Images that keep all cores busy."""
FAREWELL = 0.1
"""Grace period at exit, in seconds: torch frees objects of each thread after Python joins the threads."""


class Blocked(nn.Module):
    """Runs a model in blocks of fixed sizes, the last one filled up with zeros.

    Kernels choose their algorithm, and with it the order of additions, by the shape of a batch; in blocks of one shape
    an image gets the same logits, bit for bit, for any batch size, order or neighbours.

    Args:
        model: pixels in [0, 1] -> logits.
        sizes: images in a block, ascending; by the model's device where they are not given. More than one only for a
            model that gives an image the same bits in all of them (see settled).
        workers: blocks that are computed at once, each on one thread; more than 1 only for a model that keeps nothing
            from one forward pass to the next. At 1, a block has all threads.
        exact: the same function without rounding, for a model that computes in low precision.

    Attributes:
        early_stopping: attacks leave images alone that they are not going to fool.
        slack: how far logits may be off by the model's arithmetic, as a share of the largest; 0 for float32.
    """

    def __init__(
        self,
        model: nn.Module,
        sizes: tuple[int, ...] | None = None,
        workers: int = 1,
        exact: "Blocked | None" = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.eval()  # libraries put a model back into the mode that they found it in
        self.device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self.sizes = sizes or BLOCK[self.device.type]
        self.workers = workers
        self.exact = exact
        self.early_stopping = False
        self.slack = float(getattr(model, "slack", 0.0))

    def whole_blocks(self, count: int) -> int:
        """``count`` images, rounded up to whole blocks."""
        return -(-count // self.sizes[-1]) * self.sizes[-1]

    def with_slack(self, slack: float) -> "Blocked":
        """The model by itself, whose logits may be off by at least that share of the largest."""
        result = Blocked(self.model, self.sizes, self.workers)
        result.slack = max(result.slack, slack)
        return result

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] -> [N, classes], for any N >= 1."""
        return torch.cat(self.over_blocks(self.one_block, x))

    def over_blocks(self, function: Callable[..., T], *tensors: torch.Tensor) -> list[T]:
        """What ``function`` gives for each block of the images (and labels) in ``tensors`` [N, ...]."""
        counts = self._counts(len(tensors[0]))
        parts = list(zip(*(tensor.split(counts) for tensor in tensors), strict=True))
        if self.workers == 1:
            return [function(*part) for part in parts]
        grad = torch.is_grad_enabled()

        def run(part: tuple[torch.Tensor, ...]) -> T:
            with torch.set_grad_enabled(grad):
                return function(*part)

        return list(_pool(self.workers).map(run, parts))

    def _counts(self, images: int) -> list[int]:
        """How many images go into each block: in turns, as large ones as are filled for all workers, or nearly so."""
        counts: list[int] = []
        while (left := images - sum(counts)) or not counts:
            filled = [size for size in self.sizes if size * self.workers * FILLED <= left]
            size = filled[-1] if filled else self.sizes[0]
            counts += [min(size, left - start) for start in range(0, left or 1, size)][: self.workers]
        return counts

    def one_block(self, x: torch.Tensor) -> torch.Tensor:
        """The same for at most one block of images, on the calling thread."""
        count = len(x)
        missing = next(size for size in self.sizes if size >= count) - count
        if missing:
            x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
        # A copy, as a model may normalise in place, and these are the caller's images.
        logits = self.model(x.clone(memory_format=torch.channels_last))
        if not isinstance(logits, torch.Tensor):
            raise TypeError(f"it returns {_described(logits)}; let it return its logits alone, a tensor [N, classes]")
        return logits[:count]


def _described(output: object) -> str:
    """What a model returned that is no tensor, such as ``a dict of logits and loss``."""
    kind = type(output).__name__
    article = "an" if kind[0] in "AEIOUaeiou" else "a"
    if isinstance(output, Mapping):
        return f"{article} {kind} of {' and '.join(map(str, list(output)[:3]))}"
    if kind.endswith("QuantTensor"):
        return f"{article} {kind}, whose logits are its .value"
    return f"{article} {kind}"


def settled(model: Blocked, x: torch.Tensor) -> Blocked:
    """The model; in the largest blocks alone, if images ``x`` [N, C, H, W] get other bits or gradients in others."""

    def outcomes(size: int) -> torch.Tensor:
        blocked = Blocked(model.model, (size,), model.workers)
        return torch.cat(blocked.over_blocks(partial(_outcomes, blocked), x[: model.sizes[-1]]))

    *smaller, largest = model.sizes
    if not smaller:
        return model
    try:
        expected = outcomes(largest)
        same = all(torch.equal(outcomes(size), expected) for size in smaller)
    except Exception:  # noqa: BLE001 (what a foreign model raises when it is asked for gradients)
        same = False
    if not same:
        model.sizes = (largest,)
    return model


def _outcomes(model: Blocked, x: torch.Tensor) -> torch.Tensor:
    """Of one block: logits, and gradients of the largest."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = model.one_block(x)
        (gradient,) = torch.autograd.grad(logits.amax(1).sum(), x)
    return torch.cat([logits.detach(), gradient.flatten(1)], 1)


def capacity(model: nn.Module) -> int:
    """How many images to ask a model for at once; 1 for a model that is not Blocked."""
    return FULL[model.device.type] if isinstance(model, Blocked) else 1


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads that compute on one core each; they live on, because new ones find all memory and caches cold.

    Python joins them at its end, but torch still drops Python objects of theirs after that, which aborts the process if
    the interpreter is gone by then. Functions of ``atexit`` run in between: the last one waits.
    """
    atexit.register(time.sleep, FAREWELL)
    return ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
