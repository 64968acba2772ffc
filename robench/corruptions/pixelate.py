"""Large pixels."""

from PIL import Image

from robench.corruptions import Draws, Floats, register
from robench.corruptions.pictures import each_picture


@register("pixelate", amounts=(0.95, 0.9, 0.85, 0.75, 0.65), imagenet=(0.6, 0.5, 0.4, 0.3, 0.25))
def pixelate(images: Floats, amount: float, draws: Draws) -> Floats:
    """Made smaller by a factor, and as large as before."""
    height, width = images.shape[2:]
    small = max(int(width * amount), 1), max(int(height * amount), 1)

    def pixelated(picture: Image.Image) -> Image.Image:
        return picture.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BOX)

    return each_picture(images, pixelated)
