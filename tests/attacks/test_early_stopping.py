"""Early stopping leaves alone what an attack is not going to fool, and nothing else."""

from collections.abc import Iterator

import pytest
import torch

from robench import zoo
from robench.attacks import ATTACKS, Attack, apgd, pgd
from robench.attacks.apply import perturb
from robench.attacks.early_stopping import EarlyStopping
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.engine.verdict import judge, to_pixels
from robench.measure.measure import measure

IMAGES = 24
CPU = torch.device("cpu")


def hasty() -> Blocked:
    model = Blocked(torch.nn.Identity(), (8,))
    model.early_stopping = True
    return model


def given_up(model: torch.nn.Module, margins: list[float], steps: int, window: int) -> int | None:
    """After how many steps an image is left alone whose margin goes through ``margins``; None if never."""
    stopping, image = EarlyStopping(model, torch.zeros(1, dtype=torch.long), steps, window), torch.tensor([0])
    for done in range(steps):
        if stopping.should_stop(image, torch.tensor([margins[done]]), done).any():
            return done
    return None


@pytest.mark.parametrize(
    ("slope", "left_alone_after"),
    # 12 steps are left after the first 8: twice that many slopes, with the first 8, or 32, must reach 1
    [(0.0, 8), (7 / 256, 8), (9 / 256, 12)],
)
def test_steady_progress_is_followed_to_twice_its_end(slope: float, left_alone_after: int) -> None:
    margins = [-1 + slope * step for step in range(20)]
    assert given_up(hasty(), margins, steps=20, window=4) == left_alone_after


def test_what_will_fall_at_this_pace_goes_on() -> None:
    assert given_up(hasty(), [-1 + step / 19.5 for step in range(20)], steps=20, window=4) is None


def test_what_gains_speed_goes_on() -> None:
    margins = [-9.0] * 4 + [-8.9] * 4 + [-8.5] * 4
    assert given_up(hasty(), margins, steps=12, window=4) is None
    assert given_up(hasty(), [-9.5, *margins[1:]], steps=12, window=4) == 8


def test_a_margin_that_falls_back_counts_by_its_best() -> None:
    margins = [-1.0, -1.0, -1.0, -1.0, -1.0, -0.1, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0]
    assert given_up(hasty(), margins, steps=12, window=4) is None


def test_nothing_is_left_alone_by_default_or_where_nothing_is_known_of_the_model() -> None:
    patient = Blocked(torch.nn.Identity(), (8,))
    for model in (patient, torch.nn.Identity()):
        assert given_up(model, [-1.0] * 20, steps=20, window=4) is None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many images each look at a model sees."""
    counts: list[int] = []

    def counted(original):
        def loss_and_gradient(model, x, *rest):
            counts.append(len(x))
            return original(model, x, *rest)

        return loss_and_gradient

    monkeypatch.setattr(pgd, "loss_and_gradient", counted(pgd.loss_and_gradient))
    monkeypatch.setattr(apgd, "loss_and_gradient", counted(apgd.loss_and_gradient))
    return counts


@pytest.mark.parametrize(("name", "steps"), [("pgd", 20), ("apgd", 50)])
def test_on_a_real_model_the_same_images_fall_with_fewer_looks(
    name: str, steps: int, fp_digits: ModelUnderTest, digits: Dataset, asked: list[int]
) -> None:
    x, y = to_pixels(digits.images[:IMAGES], CPU), torch.from_numpy(digits.labels[:IMAGES])
    condition = Condition("attack", name, 12 / 255, (("steps", steps),))

    def standing() -> tuple[torch.Tensor, int]:
        asked.clear()
        found, _ = judge(fp_digits.exact, perturb(fp_digits.gradients, x, y, condition, seed=0), y)
        return torch.from_numpy(found), sum(asked)

    found_in_all_steps, all_looks = standing()
    with fp_digits.stopping_early(True):
        found, looks = standing()
    assert 0.1 < found_in_all_steps.float().mean() < 0.9
    assert torch.equal(found, found_in_all_steps)
    assert looks < 0.8 * all_looks


@pytest.mark.parametrize(
    ("name", "allowed", "early"),
    [("fp_resnet20", True, True), ("fp_resnet20", False, False), ("bnn_resnet20", True, False)],
)
def test_models_asked_for_and_binary_activations_get_all_steps(
    name: str, allowed: bool, early: bool, digits: Dataset
) -> None:
    model = prepare(zoo.load(name, "digits", 10), digits, CPU, early_stopping=allowed)
    seen = []

    def onlooker(model, x, y, budget, rng):
        seen.append(model.early_stopping)
        return x

    with ATTACKS.temporarily("onlooker", Attack(onlooker)):
        measure(Task(model, digits.first(64), Condition("attack", "onlooker", 4 / 255), 0, 0, 64))
    assert seen == [early]
    assert not model.gradients.early_stopping
