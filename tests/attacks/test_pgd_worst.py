"""The worst of several losses and a black-box attack: what one of them cannot see, another does."""

import torch

from robench.attacks.apply import perturb
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels

PARAMS = (("queries", 100), ("steps", 5))


class Loud(torch.nn.Module):
    """Logits so large that cross-entropy has no gradient."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1e4 * self.model(x)


def standing(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, name: str, params: tuple = ()) -> int:
    attacked = perturb(model, x, y, Condition("attack", name, 8 / 255, params), 0)
    with torch.inference_mode():
        return int((model(attacked).argmax(1) == y).sum())


def test_large_logits_are_no_defence(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    x, y = to_pixels(digits.images[:48], torch.device("cpu")), torch.from_numpy(digits.labels[:48])
    honest, loud = fp_digits.original.model, Loud(fp_digits.original.model)
    fooled_by_ce = standing(loud, x, y, "pgd", (("steps", 5),))
    assert standing(loud, x, y, "pgd_worst", PARAMS) <= standing(honest, x, y, "pgd", (("steps", 5),)) < fooled_by_ce


def test_it_is_at_least_as_strong_as_each_part(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    x, y = to_pixels(digits.images[:48], torch.device("cpu")), torch.from_numpy(digits.labels[:48])
    parts = [("pgd", (("loss", loss), ("steps", 5))) for loss in ("ce", "ce_scaled", "margin")]
    model = fp_digits.exact
    worst = standing(model, x, y, "pgd_worst", PARAMS)
    assert worst <= min(standing(model, x, y, *part) for part in [*parts, ("square", (("queries", 100),))])
