"""What the page needs of the images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from robench.core.types import Images
from robench.measure.run import Run
from robench.studies.study import Facts


def facts(run: Run, folders: Mapping[str, Path]) -> Facts:
    """The mean of min(X, 255 - X) over the pixels of the images, in pixel levels."""
    return {"mean_of_smaller_side": mean_of_smaller_side(run.data.images[:])}


def mean_of_smaller_side(images: Images) -> float:
    """What a mean absolute difference of 8-bit numbers that wrap around may give, in pixel levels."""
    return float(np.minimum(images, 255 - images).mean())
