"""Attempts in turn, and what low precision leaves undecided."""

import numpy as np
import pytest
import torch

from robench.attacks import ATTACKS, Budget, ImageStreams
from robench.attacks.apply import perturb
from robench.attacks.toolbox import BestSoFar, cascade, exact_margin, fooled, recheck_in_float32, undecided
from robench.core.types import Condition
from robench.engine.blocked import Blocked


class Logits(torch.nn.Module):
    """Two logits, 0 and the mean of the image, the second off by ``error``."""

    def __init__(self, error: float = 0.0, slack: float = 0.0) -> None:
        super().__init__()
        self.error, self.slack = error, slack

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = x.mean((1, 2, 3))
        return torch.stack([torch.ones_like(score), score + 0.5 + self.error], 1)


def images(*means: float) -> torch.Tensor:
    return torch.tensor(means).view(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous()


def rough(error: float) -> Blocked:
    return Blocked(Logits(error, slack=0.1), (8,), exact=Blocked(Logits(), (8,)))


def test_each_image_keeps_its_strongest_attempt_up_to_the_first_that_fools() -> None:
    strongest = BestSoFar(Logits(), images(0.0, 0.0, 0.0), torch.zeros(3, dtype=torch.long))
    strongest.offer(strongest.robust(), images(0.6, 0.4, 0.1))
    assert strongest.robust().tolist() == [1, 2]
    strongest.offer(strongest.robust(), torch.cat([images(0.3, 0.2), images(0.7, 0.45), images(0.8, 0.3)]))
    torch.testing.assert_close(strongest.result.mean((1, 2, 3)), torch.tensor([0.6, 0.7, 0.45]))
    assert strongest.robust().tolist() == [2]


def test_an_image_whose_margin_is_no_number_stands_as_it_was() -> None:
    strongest = BestSoFar(Logits(), images(0.2), torch.zeros(1, dtype=torch.long))
    strongest.offer(strongest.robust(), images(float("nan")))
    torch.testing.assert_close(strongest.result, images(0.2))
    assert strongest.robust().tolist() == [0]


def test_a_cascade_leaves_alone_what_fell() -> None:
    asked = []

    def attack(model: Logits, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams) -> torch.Tensor:
        asked.append(x.mean((1, 2, 3)).round(decimals=3).tolist())
        return x + budget.radius

    x, y = images(0.0, 0.3, 0.45), torch.zeros(3, dtype=torch.long)
    streams = ImageStreams([np.random.default_rng(0)] * 3)
    cascade(Logits(), x, y, Budget("linf", torch.tensor([0.1, 0.3, 0.1])), streams, [attack] * 2)
    assert asked == [[pytest.approx(0), pytest.approx(0.3), pytest.approx(0.45)], [pytest.approx(0)]]


def test_what_fell_is_decided_exactly() -> None:
    x, y = images(0.49, 0.51), torch.zeros(2, dtype=torch.long)
    for error in (-0.05, 0.0, 0.05):
        assert fooled(rough(error), x, y).tolist() == [False, True]
        torch.testing.assert_close(exact_margin(rough(error), x, y), torch.tensor([-0.01, 0.01]))


def test_undecided_is_what_rounding_reaches_or_wrongly_takes_for_wrong() -> None:
    x, y = images(0.1, 0.45, 0.2), torch.zeros(3, dtype=torch.long)
    assert undecided(rough(0.0), x, y).tolist() == [False, True, False]
    assert not undecided(rough(0.0), images(0.55), y[:1]).any()
    assert undecided(rough(0.5), x, y).tolist() == [False, True, True]
    assert not undecided(Blocked(Logits(), (8,)), x, y).any()


def test_a_careful_attack_repeats_what_is_undecided_exactly_and_keeps_the_better() -> None:
    x, y = images(0.1, 0.3, 0.3), torch.zeros(3, dtype=torch.long)
    asked = []

    @recheck_in_float32
    def attack(
        model: Blocked, x: torch.Tensor, y: torch.Tensor, budget: Budget, rng: ImageStreams, *, gain: float = 0.15
    ) -> torch.Tensor:
        asked.append((model.slack, x.mean((1, 2, 3)).round(decimals=3).tolist(), budget.epsilon.tolist()))
        return x + (gain if model.slack else gain * torch.arange(1, len(x) + 1).view(-1, 1, 1, 1))

    budget = Budget("linf", torch.tensor([0.1, 0.2, 0.3]))
    streams = ImageStreams([np.random.default_rng(0)] * 3)
    result = attack(rough(0.0), x, y, budget, streams).mean((1, 2, 3))
    assert asked[1] == (0.0, [pytest.approx(0.3)] * 2, [pytest.approx(0.2), pytest.approx(0.3)])
    torch.testing.assert_close(result, torch.tensor([0.25, 0.45, 0.6]))
    assert len(asked) == 2
    attack(Blocked(Logits(), (8,)), x, y, budget, streams, gain=0.0)
    assert len(asked) == 3


LENIENT = {
    "pgd": {"steps": 3},
    "apgd": {"steps": 5},
    "apgd_targeted": {"steps": 5},
    "bim": {"steps": 40, "std": "1 1 1"},
}


class Linear(torch.nn.Module):
    """Four logits, of which the second grows with the image and is off by ``error``."""

    def __init__(self, error: float = 0.0, slack: float = 0.0) -> None:
        super().__init__()
        self.error, self.slack = error, slack

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = x.mean((1, 2, 3))
        return torch.stack([0 * score + 1, score + 0.5 + self.error, 0 * score - 1, 0 * score - 2], 1)


@pytest.mark.parametrize("name", LENIENT)
def test_every_iterated_attack_rechecks_what_low_precision_took_for_fooled(name: str) -> None:
    """The low-precision copy is wrong at the clean image already, where an attack stops at once."""
    exact = Blocked(Linear(), (8,))
    hasty = Blocked(Linear(error=0.5, slack=0.01), (8,), exact=exact)
    x, y = images(0.3), torch.zeros(1, dtype=torch.long)
    condition = Condition("attack", name, 0.3, tuple(sorted(LENIENT[name].items())))
    assert fooled(exact, perturb(hasty, x, y, condition, seed=0), y).all()


def test_every_gradient_attack_is_known_to_the_test_above() -> None:
    own = {name for name in ATTACKS if ATTACKS[name].traits.gradient and not ATTACKS[name].traits.bare}
    rechecked_by_parts = {"pgd_worst", "robench_aa"}
    assert own - rechecked_by_parts == {*LENIENT, "fgsm", "fmn"}  # these two take all gradients from the exact form
