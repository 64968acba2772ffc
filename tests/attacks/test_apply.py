import pytest
import torch

from robench.attacks import ATTACKS, Attack
from robench.attacks.apply import attempt, check, perturb
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels

MODEL = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
X, Y = torch.rand(4, 3, 2, 2), torch.tensor([0, 1, 2, 0])


def attack(name: str, level: float | None = 0.1, **params: object) -> torch.Tensor:
    condition = Condition("attack", name, level, tuple(sorted(params.items())))
    check(condition)
    return perturb(MODEL, X, Y, condition, seed=0)


@pytest.mark.parametrize("epsilon", [-0.1, None, float("nan"), float("inf"), 8])
def test_an_impossible_epsilon_is_one_sentence(epsilon: float | None) -> None:
    with pytest.raises(RobenchError, match="must be a number from 0 to 1"):
        attack("fgsm", epsilon)


def test_an_unknown_attack_answers_with_the_nearest() -> None:
    with pytest.raises(RobenchError, match="did you mean fgsm"):
        attack("fsgm")


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(RobenchError, match="no parameter 'step'; it takes: norm, via, eot, steps"):
        attack("pgd", step=3)


def test_an_unknown_norm_is_one_sentence() -> None:
    with pytest.raises(RobenchError, match="must be linf or l2"):
        attack("pgd", norm="l1")


def test_what_is_outside_the_budget_is_projected_and_what_is_not_finite_comes_back_clean() -> None:
    def cheat(model, x, y, budget, rng):
        result = x + 0.05
        result[1] = 0.4
        result[2] = float("nan")
        return result

    with ATTACKS.temporarily("cheat", Attack(cheat)):
        found = attempt(MODEL, X, Y, Condition("attack", "cheat", 0.1), seed=0)
    assert found.beyond.tolist() == [False, True, False, False]
    assert found.broken.tolist() == [False, False, True, False]
    torch.testing.assert_close(found.images[1], X[1] + (0.4 - X[1]).clamp(-0.1, 0.1))
    assert torch.equal(found.images[2], X[2])
    assert not torch.equal(found.images[0], X[0])


def test_a_model_without_gradients_gets_a_clear_answer() -> None:
    class Detached(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return MODEL(x).detach()

    with pytest.raises(RobenchError, match="passes no gradient"):
        perturb(Detached(), X, Y, Condition("attack", "fgsm", 0.1), seed=0)


def test_fgsm_is_torchattacks_fgsm(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    x, y = to_pixels(digits.images[:64], torch.device("cpu")), torch.from_numpy(digits.labels[:64])
    ours = perturb(fp_digits.original, x, y, Condition("attack", "fgsm", 8 / 255), seed=0)
    theirs = perturb(fp_digits.original, x, y, Condition("attack", "torchattacks:FGSM", 8 / 255), seed=0)
    assert (ours != theirs).float().mean() < 1e-3  # the sign of a gradient of exactly or nearly zero


def test_pgd_is_as_strong_as_torchattacks_pgd(fp_digits: ModelUnderTest, digits: Dataset) -> None:
    x, y = to_pixels(digits.images[:64], torch.device("cpu")), torch.from_numpy(digits.labels[:64])
    epsilon = 24 / 255
    same = (("alpha", 2.5 * epsilon / 10), ("steps", 10))
    ours = perturb(fp_digits.original, x, y, Condition("attack", "pgd", epsilon, (("steps", 10),)), seed=0)
    theirs = perturb(fp_digits.original, x, y, Condition("attack", "torchattacks:PGD", epsilon, same), seed=0)
    with torch.inference_mode():
        standing = [int((fp_digits.original(images).argmax(1) == y).sum()) for images in (x, ours, theirs)]
    assert standing[1] < standing[0]
    assert standing[1] <= standing[2] + 1


@pytest.mark.parametrize("name", ["torchattacks:PGDX", "torchattacks"])
def test_an_unknown_torchattacks_class_is_one_sentence(name: str) -> None:
    with pytest.raises(RobenchError, match="torchattacks has no attack"):
        attack(name)


def test_wrong_torchattacks_parameters_are_one_sentence() -> None:
    with pytest.raises(RobenchError, match=r"torchattacks:PGD has no parameter 'stepps'; it takes: norm, .*, steps"):
        check(Condition("attack", "torchattacks:PGD", 0.1, (("stepps", 3),)))
