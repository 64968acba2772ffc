"""Frost on the lens: photographs of ice, which the package imagecorruptions-imaug brings."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from robench.core.errors import RobenchError
from robench.corruptions import Draws, Floats, register

FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")
"""Those that the program which made CIFAR-10-C and ImageNet-C draws from; of its six it never takes the last."""
SMALL, EVERY = 64, 5
"""Images of up to so many pixels a side get a photograph of which every fifth pixel is left."""


@register(
    "frost",
    amounts=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    imagenet=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
)
def frost(images: Floats, settings: tuple[float, float], draws: Draws) -> Floats:
    """So much of the image, and so much of a random part of a photograph of ice."""
    kept, added = settings
    count, channels, height, width = images.shape
    chosen = draws.uniform((count, 3))
    ice = np.stack([_part(one, height, width) for one in chosen])
    if channels == 1:
        ice = ice.mean(1, keepdims=True)
    return kept * images + added * ice


def _part(chosen: Floats, height: int, width: int) -> Floats:
    """A part of a photograph, [3, height, width] in [0, 1]; three numbers in (0, 1) choose which and where."""
    which, down, right = chosen.tolist()
    ice = _ice(FILES[int(which * len(FILES))], small=max(height, width) <= SMALL)
    room = np.array(ice.shape[1:]) - (height, width)
    if (room < 1).any():
        raise RobenchError(
            f"the photographs of frost are smaller than images of {width}x{height}; leave the corruption frost out."
        )
    top, left = int(down * room[0]), int(right * room[1])
    return ice[:, top : top + height, left : left + width].astype(np.float32) / np.float32(255)


@cache
def _ice(name: str, *, small: bool) -> npt.NDArray[np.uint8]:
    """A photograph, uint8 [3, H, W]."""
    pixels = np.asarray(Image.open(_folder() / name).convert("RGB"))
    # The middle of each block of five, which is what OpenCV's linear resize to a fifth takes.
    return (pixels[EVERY // 2 :: EVERY, EVERY // 2 :: EVERY] if small else pixels).transpose(2, 0, 1)


def _folder() -> Path:
    """Where the photographs are; the package is not imported, and neither are those that it needs."""
    spec = find_spec("imagecorruptions")
    folder = Path(spec.origin).parent / "frost" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise RobenchError("the corruption frost needs photographs: pip install 'robench[corruptions]'.")
    return folder
