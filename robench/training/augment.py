"""Random crops and flips of a whole batch at once, on 8-bit images."""

import torch
from torch.nn.functional import pad


def augment(images: torch.Tensor, crop: int, flip: bool, rng: torch.Generator) -> torch.Tensor:
    """Shift each image by up to ``crop`` pixels (zeros come in), mirror half of them: uint8 [N, C, H, W] in and out."""
    count, channels, height, width = images.shape
    down, right = (torch.randint(0, 2 * crop + 1, (count, 1), generator=rng) for _ in range(2))
    rows = torch.arange(height) + down
    columns = torch.arange(width) + right
    if flip:
        mirrored = torch.rand(count, 1, generator=rng) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = pad(images, (crop, crop, crop, crop))
    each, channel = torch.arange(count).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1)
    return padded[each, channel, rows[:, None, :, None], columns[:, None, None, :]]
