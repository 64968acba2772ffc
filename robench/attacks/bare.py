"""What other libraries' attacks are given: the bare model, contiguous tensors, seeded randomness, and limited time.

A library calls the model as often as it likes and knows of no time limit. So the model that it is given watches: once
the time is up, the next call ends the attack, and the perturbations within the budget that have fooled the model by
then are what it found.
"""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import numpy as np
import torch
from torch import nn

from robench.attacks import Budget, Function, ImageStreams
from robench.attacks.toolbox import SLACK, size
from robench.core.types import Value
from robench.engine.blocked import Blocked


class TimeIsUpError(Exception):
    """An attack has had its time."""


class TimeLimit:
    """The time that an attack may take on all images together, from now on.

    Args:
        seconds: of wall time.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._end


class Watched(nn.Module):
    """The bare model as a library's attack sees it, for one block of images.

    Args:
        model: pixels in [0, 1] -> logits; of a ``Blocked`` one what is inside, which takes single images as such.
        x, y: the images [N, C, H, W] and their labels.
        budget: theirs.
        limit: once it is over, a call raises ``TimeIsUpError``.
        seed: for what the library draws.

    Attributes:
        found: the first perturbed version of each image that fooled the model within the budget, else the image.
        fooled: bool [N], which have one.
        classes: number of logits.
    """

    def __init__(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, budget: Budget, limit: TimeLimit, seed: int
    ) -> None:
        super().__init__()
        self.model = model.model if isinstance(model, Blocked) else model
        # Libraries take the device of the first parameter, and a model may have none.
        self.place = nn.Parameter(torch.zeros(1, device=x.device), requires_grad=False)
        self.x, self.y, self.budget, self.limit, self.seed = x, y, budget, limit, seed
        self.found, self.fooled = x.clone(), torch.zeros_like(y, dtype=torch.bool)
        self.eval()
        with torch.no_grad():
            self.classes = self.model(x[:1]).shape[1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[M, C, H, W] -> [M, classes]; gradients come back contiguous, as libraries expect them."""
        if self.limit.over:
            raise TimeIsUpError
        given = images.clone(memory_format=torch.contiguous_format)
        if given.requires_grad:
            given.register_hook(lambda gradient: gradient.contiguous())
        logits: torch.Tensor = self.model(given)
        with torch.no_grad():
            self._remember(images.detach(), logits.detach())
        return logits

    def _remember(self, images: torch.Tensor, logits: torch.Tensor) -> None:
        """Keep what fools within the budget; a library may ask for some of the images, and each is nearest its own."""
        if images.shape[1:] != self.x.shape[1:]:
            return
        origin = torch.cdist(images.flatten(1), self.x.flatten(1)).argmin(1)
        wrong = logits.argmax(1) != self.y[origin]
        within = size(images - self.x[origin], self.budget.norm) <= self.budget.epsilon[origin] + SLACK
        new = wrong & within & ~self.fooled[origin]
        self.found[origin[new]], self.fooled[origin[new]] = images[new], True


def run_bare(
    attack: Function,
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    budget: Budget,
    rng: ImageStreams,
    params: dict[str, Value],
    limit: TimeLimit,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a library's attack on one block of images.

    Its random numbers are seeded by the stream of the first image, so that the batches of a run do not matter to it.

    Returns:
        what it gave, and bool [N]: for which images its time was up before it was done or had found anything.
    """
    seed = int(rng.streams[0].integers(2**31)) if len(x) else 0
    if not len(x) or limit.over:
        return x, torch.ones_like(y, dtype=torch.bool)
    watched = Watched(model, x, y, budget, limit, seed)
    try:
        # A library's own messages must not mix with results, which may be JSON.
        with _seeded(seed, x.device), torch.enable_grad(), redirect_stdout(sys.stderr):
            result = attack(watched, x.clone(memory_format=torch.contiguous_format), y, budget, rng, **params)
    except TimeIsUpError:
        return watched.found, ~watched.fooled
    return result, torch.zeros_like(watched.fooled)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Global random numbers of Python, NumPy and torch begin at a seed; afterwards they go on where they were."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 (what libraries draw from)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002


def one_epsilon(budget: Budget) -> float:
    """The epsilon of a batch, which is the same for all of its images."""
    assert (budget.epsilon == budget.epsilon[0]).all()
    return float(budget.epsilon[0])
