"""Images that are decoded when they are asked for, by several threads, and not kept."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.types import Images, Indices
from robench.data.pictures import CONVERSION, pixels, size_of
from robench.data.resizing import InputSize, Resizing, resizing

if TYPE_CHECKING:
    from PIL.Image import Image

BLOCK = 64
"""Images that are decoded at once where all of them pass by."""
LISTED = 50
"""Of the images that cannot be read, in one message."""


class Pictures(NamedTuple):
    """Where images come from, by index.

    Attributes:
        open: gives an image; of a file, only its header is read. Called by several threads at once.
        name: what messages call an image.
    """

    open: "Callable[[int], Image]"
    name: Callable[[int], str]


class LazyImages:
    """Images of a data set, uint8 [N, 3, H, W], in memory as long as somebody looks at them.

    While one block is worked on, the block behind it is decoded.

    Args:
        pictures: where they come from.
        index: which of those, and in which order.
        wanted: the images that a model takes; it decides, with the sizes of the images, how they are resized.
        rule: how they are resized, where that is known already.
    """

    def __init__(
        self, pictures: Pictures, index: Indices, wanted: InputSize | None = None, rule: Resizing | None = None
    ) -> None:
        self.pictures, self.index = pictures, index
        self.wanted, self._rule = wanted, rule
        self._ahead: tuple[tuple[int, int], list[Future[Images]]] = ((0, 0), [])

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: slice | Indices | int) -> Images:
        """uint8 [n, 3, H, W]; of one number, uint8 [3, H, W]."""
        if isinstance(chosen, int):
            return self[np.array([chosen])][0]
        if not isinstance(chosen, slice):
            return self._gathered(self._started(self.index[chosen]), self.index[chosen])
        start, stop, step = chosen.indices(len(self))
        if step != 1:
            return self[np.arange(start, stop, step)]
        ahead, running = self._ahead
        futures = running if ahead == (start, stop) else self._started(self.index[start:stop])
        if 0 < stop - start < len(self):
            behind = (stop, min(2 * stop - start, len(self)))
            self._ahead = (behind, self._started(self.index[slice(*behind)]))
        return self._gathered(futures, self.index[start:stop])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, H, W)."""
        width, height = self.resizing.size
        return len(self), 3, height, width

    @property
    def rule(self) -> str:
        """What is done to each image, in words."""
        return f"{self.resizing}; {CONVERSION}"

    @cached_property
    def resizing(self) -> Resizing:
        """How they are resized. It depends on the sizes of all of them, which are read from their headers."""
        if self._rule is not None:
            return self._rule
        headers = list(workers().map(self._header, self.index.tolist()))
        # Those that cannot be opened are no reason to stop here: they are listed with all others that are damaged.
        sizes = {header for header in headers if isinstance(header, tuple)}
        if not sizes:
            raise _unreadable([header for header in headers if isinstance(header, str)])
        return resizing(sizes, self.wanted)

    def select(self, chosen: Indices) -> "LazyImages":
        """Some of them."""
        return LazyImages(self.pictures, self.index[chosen], self.wanted, self._rule)

    def sized(self, wanted: InputSize | None) -> "LazyImages":
        """The same, resized for a model."""
        return LazyImages(self.pictures, self.index, wanted)

    def like(self, other: "LazyImages") -> "LazyImages":
        """The same, resized as others are; to their size where those were taken as they are."""
        rule = other.resizing
        if rule.scaled is None:
            return self.sized(InputSize(*rule.size, fixed=True))
        return LazyImages(self.pictures, self.index, rule=rule)

    def blocks(self) -> Iterator[Images]:
        """All of them, block by block.

        Raises:
            RobenchError: images cannot be decoded; it comes at the end, with all of them.
        """
        broken: list[str] = []
        for start in range(0, len(self), BLOCK):
            part = self.index[start : start + BLOCK]
            found, failed = _results(self._started(part))
            broken += failed
            if not broken:
                yield np.stack(found)
        if broken:
            raise _unreadable(broken)

    def _started(self, numbers: Indices) -> "list[Future[Images]]":
        rule = self.resizing
        return [workers().submit(self._pixels, number, rule) for number in numbers.tolist()]

    def _gathered(self, futures: "list[Future[Images]]", numbers: Indices) -> Images:
        if not futures:
            return np.zeros((0, *self.shape[1:]), np.uint8)
        found, broken = _results(futures)
        if broken:
            raise _unreadable(broken)
        return np.stack(found)

    def _pixels(self, number: int, rule: Resizing) -> Images:
        try:
            with self.pictures.open(number) as image:
                return pixels(image, rule)
        except Exception as error:  # decoders raise many kinds on damaged files
            raise _BrokenError(self._described(number, error)) from error

    def _header(self, number: int) -> tuple[int, int] | str:
        """Width and height of an image, or what is wrong with it."""
        try:
            with self.pictures.open(number) as image:
                return size_of(image)
        except Exception as error:  # noqa: BLE001 - as above
            return self._described(number, error)

    def _described(self, number: int, error: Exception) -> str:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"{self.pictures.name(number)} ({short(reason, 120)})"


class _BrokenError(RobenchError):
    """One image cannot be had; the message describes it."""


def _results(futures: "list[Future[Images]]") -> tuple[list[Images], list[str]]:
    """What was decoded, and descriptions of what could not be."""
    found, broken = [], []
    for future in futures:
        error = future.exception()
        if error is None:
            found.append(future.result())
        elif isinstance(error, _BrokenError):
            broken.append(str(error))
        else:
            raise error
    return found, broken


def _unreadable(broken: list[str]) -> RobenchError:
    what = f"{len(broken)} images cannot be used" if len(broken) > 1 else "one image cannot be used"
    more = f", and {len(broken) - LISTED:,} more" if len(broken) > LISTED else ""
    return RobenchError(f"{what}: {', '.join(broken[:LISTED])}{more}; remove or replace what is listed.")


@cache
def workers() -> ThreadPoolExecutor:
    """The threads that decode: Pillow's decoders and filters leave the interpreter to others meanwhile."""
    return ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1), thread_name_prefix="robench-decode")
