"""Image files on their way through an evaluation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import robench
from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.data.load import load
from robench.measure.run import Request, open_run

PHOTOS = np.random.default_rng(0).integers(0, 256, (9, 40, 60, 3), np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """Photos of several sizes, in three classes."""
    for index, photo in enumerate(PHOTOS):
        folder = tmp_path / "photos" / "abc"[index % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).resize((60 + index, 50)).save(folder / f"{index}.png")
    return f"imagefolder:{tmp_path / 'photos'}"


def network(**config: object) -> nn.Module:
    torch.manual_seed(0)
    pooled = nn.AdaptiveAvgPool2d(2)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), pooled, nn.Flatten(), nn.Linear(16, 3))
    if config:
        module.pretrained_cfg = config
    return module.eval()


SMALL = {"suite": "quick", "conditions": "corruption/gaussian"}


def test_the_models_own_rule_is_in_the_card_and_decides_the_fingerprint(photos: str) -> None:
    cards = [
        robench.evaluate(module, photos, **SMALL, **settings)
        for module, settings in (
            (network(input_size=(3, 32, 32), crop_pct=0.8), {}),
            (network(input_size=(3, 32, 32), crop_pct=1.0), {}),
            (network(input_size=(3, 32, 32), crop_pct=1.0), {"image_size": 24}),
            (network(), {"image_size": 24}),
        )
    ]
    rules = [card.data.preparation.split("; ")[1] for card in cards]
    assert rules == [
        "shorter side to 40 pixels (bicubic), central 32x32",
        "shorter side to 32 pixels (bicubic), central 32x32",
        "shorter side to 24 pixels (bicubic), central 24x24",
        "shorter side to 27 pixels (bilinear), central 24x24",
    ]
    assert len({card.data.fingerprint for card in cards}) == 4


def test_what_was_done_is_said_once(photos: str) -> None:
    said: list[str] = []
    with open_run(Request((network(),), photos, "quick", n_images=2), said.append) as run:
        name = run.data.name
    assert [text.removeprefix(f"{name}: ")[:30] for text in said] == [
        "classes are the folders in sor",
        "shorter side to 256 pixels (bi",
        "the 2 images that are evaluate",
    ]


def test_models_that_want_other_images_are_told_so(photos: str) -> None:
    pair = network(input_size=(3, 32, 32)), network(input_size=(3, 48, 48))
    with (
        pytest.raises(RobenchError, match=r"Sequential 32x32 and Sequential 48x48.*or say --image-size"),
        open_run(Request(pair, photos, "quick")),
    ):
        pass
    with open_run(Request(pair, photos, "quick", image_size=16)) as run:
        assert run.data.images.shape == (9, 3, 16, 16)
    with pytest.raises(RobenchError, match="image_size must be a whole number from 4 to 4096"):
        robench.evaluate(network(), photos, image_size=2)


def test_decoded_images_give_the_counts_of_the_same_arrays(digits: Dataset, tmp_path: Path) -> None:
    few = digits.first(70)
    order = np.argsort(few.labels, kind="stable")
    for place in order:
        folder = tmp_path / "set" / str(few.labels[place])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(few.images[place].transpose(1, 2, 0)).save(folder / f"{place:03}.png")
    files = load(f"imagefolder:{tmp_path / 'set'}")
    arrays = files.in_memory()
    model = robench.load_model("tr_none_nc", "digits")
    settings = {"suite": "quick", "n_images": 70, "batch_size": 64, "twin": "none"}
    cards = [robench.evaluate(model, data, **settings) for data in (files, arrays)]
    assert cards[0].data.fingerprint == cards[1].data.fingerprint
    assert cards[0].data.preparation == cards[1].data.preparation
    assert len(cards[0].measurements) > 5
    for one, other in zip(*(card.measurements for card in cards), strict=True):
        assert np.array_equal(one.top1, other.top1), one.condition.key
        assert np.array_equal(one.top5, other.top5), one.condition.key
