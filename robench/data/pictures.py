"""From an opened image file of any kind to 8-bit RGB pixels, by a stated rule."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from robench.core.errors import RobenchError
from robench.core.types import Images
from robench.data.resizing import Resizing

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST = 4
"""Pixels along a side that a picture of anything has."""
MOST_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "PPM", "TIFF")
"""Pillow's names; JPEG has MPO in it, which phones write. Others are not read, whatever a file is called: some of them
start programs."""
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Pillow's names for grey images of 16 bits; other deep images it opens with 8."""
ORIENTATION = 0x0112
"""The EXIF tag; from 5 on, width and height change places."""
CONVERSION = (
    "first frame, upright as EXIF says, 8-bit RGB (grey in three channels, alpha left out, 16 bits scaled by 1/257)"
)


def opened(file: Path | bytes) -> "Image":
    """An image by its header, in one of the ``FORMATS``."""
    from PIL import Image

    image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise RobenchError(f"{image.width}x{image.height} pixels, which is too many")
    if image.mode not in EIGHT_BITS + SIXTEEN_BITS:
        raise RobenchError(f"of type {image.mode}, and neither of 8 nor of 16 bits a channel")
    return image


def size_of(image: "Image") -> tuple[int, int]:
    """Width and height of the upright image."""
    # Pillow turns TIFF files itself.
    turned = image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else image.size


def pixels(image: "Image", rule: Resizing) -> Images:
    """uint8 [3, H, W] of the rule's size."""
    from PIL import ImageOps

    if min(image.size) < SMALLEST:
        raise RobenchError(f"{image.width}x{image.height} pixels, which is too few")
    upright = ImageOps.exif_transpose(image)
    return np.asarray(rule(_rgb(upright))).transpose(2, 0, 1)


def _rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode in SIXTEEN_BITS:
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise RobenchError(f"values from {values.min()} to {values.max()}, which is more than 16 bits")
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
