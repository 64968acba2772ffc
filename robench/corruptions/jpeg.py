"""JPEG compression."""

from io import BytesIO

from PIL import Image

from robench.corruptions import Draws, Floats, register
from robench.corruptions.pictures import each_picture


@register("jpeg", amounts=(80, 65, 58, 50, 40), imagenet=(25, 18, 15, 10, 7))
def jpeg(images: Floats, quality: float, draws: Draws) -> Floats:
    """Saved with a quality from 1 to 95, and read again."""

    def saved(picture: Image.Image) -> Image.Image:
        file = BytesIO()
        picture.save(file, "JPEG", quality=round(quality))
        return Image.open(file)

    return each_picture(images, saved)
