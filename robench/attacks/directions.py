"""Where single steps lead: the same at every epsilon, so that the gradient is taken once for all of a suite."""

from collections.abc import Callable, Sequence

import torch

LARGEST = 2**28
"""Bytes that are kept; of larger data sets the gradient is taken again."""


class Directions:
    """The directions of one attack on one model, by image."""

    def __init__(self) -> None:
        self._known: dict[int, torch.Tensor] = {}
        self._bytes = 0

    def of(self, images: Sequence[int], compute: Callable[[], torch.Tensor], like: torch.Tensor) -> torch.Tensor:
        """Those of some images [N, C, H, W], computed together unless all are known."""
        if all(image in self._known for image in images):
            return torch.stack([self._known[image] for image in images]).to(like)
        found = compute()
        # Signs fit into a byte.
        small = found.to(torch.int8) if bool((found == found.round()).all() & (found.abs() <= 1).all()) else found
        self._bytes += small.numel() * small.element_size()
        if self._bytes <= LARGEST:
            self._known.update(zip(images, small.cpu().unbind(), strict=True))
        return found
