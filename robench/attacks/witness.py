"""What shows that images fell to an attack: adversarial images of 8 bits, kept as differences from the originals.

Budgets nest, so that one image is enough for all epsilons of a grid from the smallest at which it fools the model.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from robench.core.errors import RobenchError
from robench.core.types import Bits, Blocks, Condition, Indices, Measurement
from robench.engine.task import Task, clean_outcomes
from robench.engine.verdict import judge, to_pixels

Arrays = dict[str, npt.NDArray]
ROUNDING = 0.5
"""Levels of 255 by which rounding to 8 bits may take a pixel beyond its budget."""
SLACK = 1e-3
"""The same for the arithmetic of the check itself."""


class Witness:
    """Collects adversarial images while an attack goes on.

    Args:
        originals: the images of the data set.
        levels: of the grid; levels of images are indices in it.
    """

    def __init__(self, originals: Blocks, levels: int) -> None:
        self._originals = originals
        self._levels = np.full(len(originals), levels)
        self._deltas: dict[int, npt.NDArray[np.int16]] = {}

    def offer(self, images: Indices, levels: Indices, found: torch.Tensor) -> None:
        """Keep images that fool the model within a smaller budget than those that are known.

        Args:
            images: indices in the data set.
            levels: of each.
            found: float [n, C, H, W], in whole steps of 1/255.
        """
        pixels = (255 * found).round().to(torch.int16).cpu().numpy()
        for place, (image, level) in enumerate(zip(images.tolist(), levels.tolist(), strict=True)):
            if level < self._levels[image]:
                self._levels[image] = level
                self._deltas[image] = pixels[place] - self._originals[image : image + 1][0].astype(np.int16)

    def arrays(self) -> Arrays:
        """int32 ``images`` [n], uint16 ``levels`` [n] and ``deltas`` [n, C, H, W] of int8, or of int16 where needed."""
        images = np.array(sorted(self._deltas), np.int32)
        found = [self._deltas[image] for image in images.tolist()]
        deltas = np.array(found, np.int16).reshape(-1, *self._originals.shape[1:])
        small = np.abs(deltas).max(initial=0) <= np.iinfo(np.int8).max
        return {
            "images": images,
            "levels": self._levels[images].astype(np.uint16),
            "deltas": deltas.astype(np.int8) if small else deltas,
        }


def unconfirmed(task: Task, measurement: Measurement, arrays: Mapping[str, Any]) -> Bits:
    """Images that a card calls fallen, when rounded to 8 bits, and that neither fall by themselves nor by a witness.

    Raises:
        RobenchError: the arrays are none of an attack's on these images.
    """
    shown = task.model.remembered((task.data, id(arrays)), lambda: _shown(task, arrays))
    grid = task.condition.grid or (task.condition.level,)
    fallen: Bits = ~measurement.rounded
    return fallen & clean_outcomes(task)[0] & ~(shown <= grid.index(task.condition.level))


def _shown(task: Task, arrays: Mapping[str, Any]) -> Indices:
    """The smallest level at which each image is seen to fool the model within its budget; a large number for none."""
    images, levels, deltas = _checked(task, arrays)
    found = np.full(len(task.data), np.iinfo(np.int64).max)
    size = task.model.exact.whole_blocks(task.batch_size)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        originals = task.data.images[images[part]]
        pixels = originals.astype(np.int16) + deltas[part]
        allowed = ((pixels >= 0) & (pixels <= 255)).all((1, 2, 3)) & _within(task.condition, deltas[part], levels[part])
        x = to_pixels(pixels.clip(0, 255).astype(np.uint8), task.model.exact.device)
        y = torch.from_numpy(task.data.labels[images[part]]).to(x.device)
        fallen = allowed & ~judge(task.model.exact, x, y)[0]
        found[images[part][fallen]] = levels[part][fallen]
    return found


def _within(condition: Condition, deltas: npt.NDArray, levels: Indices) -> Bits:
    """Whether perturbations keep to the epsilons of their levels, but for the rounding of each pixel."""
    epsilons = 255 * np.array(condition.grid or (condition.level,), float)[levels]
    flat = np.abs(deltas.reshape(len(deltas), int(np.prod(deltas.shape[1:])))).astype(float)
    if condition.setting("norm") == "l2":
        lengths = np.sqrt((np.maximum(flat - ROUNDING, 0) ** 2).sum(1))
    else:
        lengths = np.maximum(flat - ROUNDING, 0).max(1, initial=0)
    within: Bits = lengths <= epsilons + SLACK
    return within


def _checked(task: Task, arrays: Mapping[str, Any]) -> tuple[Indices, Indices, npt.NDArray]:
    """The arrays, held to the images and the grid that they are for."""
    where = f"it is no witness of {task.condition.name} on these images"
    try:
        images, levels, deltas = (arrays[name] for name in ("images", "levels", "deltas"))
        images, levels = (array.astype(np.int64).reshape(len(deltas)) for array in (images, levels))
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise RobenchError(f"{where}: {error}") from error
    known = {
        "images": ((images >= 0) & (images < len(task.data))).all(),
        "levels": ((levels >= 0) & (levels < max(len(task.condition.grid), 1))).all(),
        "deltas": deltas.dtype in (np.int8, np.int16) and deltas.shape[1:] == task.data.images.shape[1:],
    }
    if wrong := [name for name, good in known.items() if not good]:
        raise RobenchError(f"{where}: its {' and '.join(wrong)} do not fit")
    return images, levels, deltas
