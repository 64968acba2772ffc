"""What people did with models and data of their own, and was measured wrongly once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import robench
from robench.attacks import ATTACKS, Attack
from robench.cli.options import parse_option
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.results.cards import read as read_card
from robench.suites.one_line import suite_of

CLEAN = suite_of({})


class Small(nn.Module):
    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


def in_place(model: nn.Module, x: torch.Tensor, y: torch.Tensor, *others: object) -> torch.Tensor:
    y.zero_()
    return x.zero_()


def test_an_attack_that_works_in_place_is_held_to_the_images_as_they_were() -> None:
    with ATTACKS.temporarily("in_place", Attack(in_place)):
        card = robench.evaluate(
            "tr_none_c", "digits", suite_of({"attack": ["in_place@1/255"]}), twin="none", n_images=32
        )
    assert card.measurements[1].correct > 28
    assert card.measurements[1].flags[0].startswith("beyond the budget: on ")


@pytest.mark.parametrize(("model", "found"), [("digits/twn_resnet20", ""), (Small(), "no codes are seen")])
def test_bits_that_do_not_fit_are_refused(model: object, found: str) -> None:
    if not found:  # of the zoo: its card says them
        assert robench.evaluate(model, "digits", CLEAN, twin="none", n_images=8, bits=4).model.bits == 2
        return
    with pytest.raises(RobenchError, match=f"--bits 4 does not fit Small: {found}"):
        robench.evaluate(model, "digits", CLEAN, twin="none", n_images=8, bits=4)


def test_labels_that_were_shifted_and_a_model_that_has_a_class_more(tmp_path: Path) -> None:
    images = np.zeros((18, 32, 32, 3), np.uint8)
    images[:, ::2] = 200
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(18) % 9 + 1)
    with pytest.raises(RobenchError, match="has 10 outputs and the labels run from 1 to 9"):
        robench.evaluate(Small(), f"npz:{tmp_path / 'd.npz'}", CLEAN)
    names = np.array([f"class {i}" for i in range(10)])
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(18) % 9 + 1, classes=names)
    assert robench.evaluate(Small(), f"npz:{tmp_path / 'd.npz'}", CLEAN).measurements[0].total == 18
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(18) % 9 + 1)
    assert robench.evaluate(Small(9), f"npz:{tmp_path / 'd.npz'}", CLEAN).measurements[0].total == 18


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_classes": 5}, "--num-classes goes with timm:NAME"),
        ({"image_size": 16}, "--image-size is for image files"),
    ],
)
def test_settings_without_an_effect_are_refused(settings: dict[str, int], sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        robench.evaluate("tr_none_c", "digits", CLEAN, n_images=8, **settings)


def test_weights_without_memory_are_one_sentence() -> None:
    with torch.device("meta"), pytest.raises(RobenchError, match="has weights without memory"):
        robench.evaluate(Small(), "digits", CLEAN)


def test_a_card_is_compared_with_a_card() -> None:
    card = robench.evaluate("tr_none_c", "digits", CLEAN, twin="none", n_images=8)
    with pytest.raises(RobenchError, match="a card is compared with a card"):
        card.difference("fp")


@pytest.mark.parametrize("text", ["torchattacks:PGD@8/255,argument=FGSM", "torchattacks:FGSM@8/255,eps=0.1"])
def test_what_robench_sets_cannot_be_set_beside_it(text: str) -> None:
    with pytest.raises(RobenchError, match="has no parameter"):
        suite_of({"attack": [text]})


def test_options_beyond_those_of_a_card_reach_a_factory_and_come_back_from_its_card(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef make(seed, shift):\n    assert (seed, shift) == (2024, -0.5)\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    options = dict(map(parse_option, ("seed=2024", "shift=-0.5")))
    card = robench.evaluate(f"{tmp_path}/net.py:make", "digits", CLEAN, n_images=8, options=options)
    read = read_card(card.save(tmp_path / "cards"))
    assert read.model.training == {"options": options}
    assert Condition("clean", "clean") in read.suite.conditions
