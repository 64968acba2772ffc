"""The mean perturbation to fool, against its bounds (shared facts of the poster's attack) and by hand."""

import pytest
import torch

from robench.attacks.apply import perturb
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.measure import measure

STD = "0.2470 0.2435 0.2616"
LARGEST = 0.2616


class Linear(torch.nn.Module):
    """Two classes: the second wins where the images' sum passes a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = x.sum((1, 2, 3)) - self.threshold
        return torch.stack([-score, score], 1)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_distances_keep_their_bound_and_images_are_of_8_bits(
    steps: int, twn_digits: ModelUnderTest, digits: Dataset
) -> None:
    bound = (255 * 0.01 * steps * LARGEST + 0.5) / 255
    condition = Condition("attack", "bim", bound, (("steps", steps),))
    found = measure(Task(twn_digits, digits.first(96), condition, 0, 0, 96))
    assert found.distance.max() <= 255 * bound + 1e-3
    assert found.distance.max() > 0.3
    assert (found.top1 == found.rounded).all()


def test_it_stops_at_the_first_image_of_8_bits_that_fools() -> None:
    x = torch.full((1, 3, 2, 2), 100 / 255)
    for needed in range(1, 6):  # after k steps each channel is round(2.55 k std) grey levels up
        levels = [round(255 * 0.01 * needed * float(std)) for std in STD.split()]
        threshold = 4 * (300 + sum(levels) - 0.5) / 255
        condition = Condition("attack", "bim", 10 / 255, (("steps", 10),))
        attacked = perturb(Linear(threshold), x, torch.tensor([0]), condition, 0)
        assert ((attacked - x) * 255).round()[0, :, 0, 0].tolist() == levels


def test_black_and_white_differ_by_what_they_differ() -> None:
    x = torch.cat([torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)])
    attacked = perturb(Linear(15), x, torch.tensor([0, 0]), Condition("attack", "bim", 10 / 255, (("steps", 2),)), 0)
    assert ((attacked - x).abs() * 255).round().max() == 1
    assert torch.equal(attacked[1], x[1])  # white cannot get whiter


def test_std_of_other_channels_is_one_sentence() -> None:
    with pytest.raises(RobenchError, match="std for 1 channels"):
        perturb(
            Linear(1), torch.zeros(1, 3, 2, 2), torch.tensor([0]), Condition("attack", "bim", 1, (("std", "1"),)), 0
        )
