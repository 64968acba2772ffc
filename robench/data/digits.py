"""Handwritten digits (Alpaydin and Kaynak 1998, UCI), as scikit-learn ships them inside its wheel."""

from pathlib import Path

import numpy as np

from robench.data import register
from robench.data.base import Dataset, check_no_argument

TRAIN = 797


@register("digits")
def digits(split: str, argument: str, data_dir: Path | None) -> Dataset:
    """1,797 8x8 digits enlarged to 32x32 RGB (each pixel 4x4): the first 797 train, the last 1,000 test."""
    check_no_argument("digits", argument)
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    grey = np.rint(small.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    images = np.repeat(grey[:, None], 3, axis=1)
    part = slice(None, TRAIN) if split == "train" else slice(TRAIN, None)
    return Dataset("digits", "scikit-learn", images[part], labels[part].astype(np.int64), tuple("0123456789"))
