import pytest
import torch

from robench.attacks import square
from robench.attacks.apply import check, perturb
from robench.attacks.losses import misclassification_margin
from robench.attacks.square import _squares, share_left
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.blocked import FULL, Blocked
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels


class Bright(torch.nn.Module):
    """Class 1 where the mean is above 0.55: no gradient is needed to find that out."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((1, 2, 3))
        return torch.stack([0.55 - mean, mean - 0.55], dim=1)


def test_squares_are_squares_of_one_sign_a_channel() -> None:
    numbers = torch.tensor([[0.0, 0.999, 0.2, 0.7], [0.5, 0.0, 0.9, 0.9]])
    change = _squares(numbers, torch.tensor([3, 2]), 8, 8)
    assert change.shape == (2, 2, 8, 8)
    assert change[0, 0, :3, 5:].eq(1).all()
    assert change[0, 1, :3, 5:].eq(-1).all()
    assert change[1, :, 3:5, :2].eq(-1).all()
    assert change.abs().sum((2, 3)).tolist() == [[9, 9], [4, 4]]


def test_the_schedule_is_the_papers() -> None:
    assert [share_left(query) for query in (0, 10, 11, 50, 51, 8001)] == [1, 1, 0.5, 0.5, 0.25, 0.5**9]


def test_it_finds_its_way_without_gradients() -> None:
    x, y = torch.full((4, 3, 8, 8), 0.5), torch.zeros(4, dtype=torch.long)
    fallen = perturb(Bright(), x, y, Condition("attack", "square", 0.1, (("queries", 300),)), seed=0)
    assert (Bright()(fallen).argmax(1) == 1).all()
    standing = perturb(Bright(), x, y, Condition("attack", "square", 0.03, (("queries", 50),)), seed=0)
    assert (Bright()(standing).argmax(1) == 0).all()
    alone = perturb(Bright(), x[2:3], y[2:3], Condition("attack", "square", 0.1, (("queries", 300),)), 0, 0, [2])
    assert torch.equal(alone, fallen[2:3])


def test_it_leaves_alone_what_no_perturbation_fools(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, original = [], square.exact_margin
    monkeypatch.setattr(square, "exact_margin", lambda model, x, y: (asked.append(len(x)), original(model, x, y))[1])
    model = Blocked(Bright())
    model.early_stopping = True
    x, y = torch.full((2, 3, 8, 8), 0.5), torch.zeros(2, dtype=torch.long)
    out_of_reach, in_reach = 0.045, 0.055
    result = perturb(
        model, x, y, Condition("attack", "square", 1.0), seed=0, epsilons=torch.tensor([out_of_reach, in_reach])
    )
    assert model(result).argmax(1).tolist() == [0, 1]
    assert sum(asked) < 4000  # of 5,000 queries for one image alone


@pytest.mark.parametrize(("queries", "window"), [(1, 500), (7, 500), (60, 500), (60, 10)])
def test_squares_tried_at_once_give_what_one_after_the_other_gives(
    queries: int, window: int, twn_digits: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(square, "WINDOW", window)
    x, y = to_pixels(digits.images[:5], torch.device("cpu")), torch.from_numpy(digits.labels[:5])
    attack = Condition("attack", "square", 8 / 255, (("queries", queries),))
    results = []
    for full in (1, 17, 64):
        monkeypatch.setitem(FULL, "cpu", full)
        results.append(perturb(twn_digits.exact, x, y, attack, seed=0))
    assert not torch.equal(results[0], x)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_it_knows_linf_alone() -> None:
    with pytest.raises(RobenchError, match="the norm of square must be linf, not 'l2'"):
        check(Condition("attack", "square", 1.0, (("norm", "l2"),)))


def test_restarts_find_more_and_an_image_does_not_depend_on_its_neighbours(
    fp_digits: ModelUnderTest, digits: Dataset
) -> None:
    x, y = to_pixels(digits.images[:24], torch.device("cpu")), torch.from_numpy(digits.labels[:24])

    def margins(restarts: int, chosen: range) -> torch.Tensor:
        condition = Condition("attack", "square", 24 / 255, (("queries", 20), ("restarts", restarts)))
        part = slice(chosen.start, chosen.stop)
        found = perturb(fp_digits.exact, x[part], y[part], condition, seed=0, images=chosen)
        return misclassification_margin(fp_digits.exact(found), y[part]).detach()

    once, often = margins(1, range(24)), margins(4, range(24))
    assert (often >= once).all()
    assert (often > once).any()
    apart = torch.cat([margins(4, range(8)), margins(4, range(8, 24))])
    torch.testing.assert_close(apart, often, rtol=0, atol=0)
