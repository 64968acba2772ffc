"""The search over a grid finds what an attack at each epsilon finds, with fewer attacks."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from robench import zoo
from robench.attacks import ATTACKS, Attack, Traits
from robench.attacks.notes import Notes
from robench.attacks.search import Search, SearchResult
from robench.core.kinds import Progress
from robench.core.types import CLEAN, Bits, Condition
from robench.data.base import Dataset
from robench.engine.loaded import from_module
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.measure.measure import measure

GRID = tuple(epsilon / 255 for epsilon in (2, 4, 8, 16, 32, 64))
PGD = Condition("attack", "pgd", None, (("steps", 10),))


def each(model: ModelUnderTest, data: Dataset) -> np.ndarray:
    tasks = (Task(model, data, replace(PGD, level=level), 0, 0, 64) for level in GRID)
    return np.stack([measure(task).top1 for task in tasks])


def searched(model: ModelUnderTest, data: Dataset) -> np.ndarray:
    tasks = (Task(model, data, replace(PGD, level=level, grid=GRID), 0, 0, 64) for level in GRID)
    return np.stack([measure(task).top1 for task in tasks])


def search(
    model: ModelUnderTest,
    data: Dataset,
    condition: Condition,
    clean: Bits | None = None,
    progress: Progress = lambda done, correct: None,
) -> SearchResult:
    """One search, of all images unless only some are right without an attack."""
    right = np.ones(len(data), bool) if clean is None else clean
    return Search(Task(model, data, condition, 0, 0, len(data)), (right, right), progress).run()


def test_a_search_finds_what_an_attack_at_each_epsilon_finds(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    data = digits.first(32)
    one_by_one, together = each(twn_digits, data), searched(twn_digits, data)
    assert 0.05 < together.mean() < 0.95
    assert (together & ~one_by_one).sum(1).max() <= 1  # never weaker, but for an image on the edge
    assert np.abs(together.sum(1) - one_by_one.sum(1)).max() <= 1
    assert (np.diff(together.astype(int), axis=0) <= 0).all()


@pytest.fixture
def attacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each attack got."""
    counts: list[int] = []
    original = Search._strike

    def strike(self, images, levels):
        counts.append(len(images))
        return original(self, images, levels)

    monkeypatch.setattr(Search, "_strike", strike)
    return counts


def test_a_search_begins_near_the_right_epsilon(
    fp_digits: ModelUnderTest, digits: Dataset, attacked: list[int]
) -> None:
    condition = replace(PGD, grid=GRID)
    search(fp_digits, digits.first(64), condition)
    assert sum(attacked) < 2.5 * 64  # one where the image stands, one for the audit, and a few wrong turns


def test_resuming_saves_attacks_and_finds_no_less(
    fp_digits: ModelUnderTest, digits: Dataset, attacked: list[int]
) -> None:
    def run() -> np.ndarray:
        attacked.clear()
        return search(fp_digits, digits.first(128), replace(PGD, grid=GRID)).top1

    resumed, with_resuming = run(), sum(attacked)
    with ATTACKS.temporarily("pgd", replace(ATTACKS["pgd"], resume=None)):
        alone = run()
    assert with_resuming < sum(attacked)
    assert (resumed & ~alone).sum() == 0


def test_bfloat16_gradients_find_what_float32_gradients_find(digits: Dataset) -> None:
    data = digits.first(64)
    loaded = zoo.load("alexnet_none_c", "digits", 10)  # small: where bfloat16 is emulated, it takes ten times as long
    exact, fast = (
        searched(prepare(loaded, data, torch.device("cpu"), precision), data) for precision in ("float32", "bfloat16")
    )
    assert np.abs(exact.sum(1) - fast.sum(1)).max() <= 1


@pytest.fixture
def planned() -> Iterator[dict[int, int]]:
    """An attack that fools an image from the epsilon in its first pixel on; how many images it got, by epsilon."""
    calls: dict[int, int] = {}

    def attack(model, x, y, budget, rng):
        for epsilon in (budget.epsilon * 255).round().int().tolist():
            calls[epsilon] = calls.get(epsilon, 0) + 1
        return x + budget.radius * last_pixel(x)

    with ATTACKS.temporarily("planned", Attack(attack)):
        yield calls


def last_pixel(x: torch.Tensor) -> torch.Tensor:
    """1 at the last pixel, 0 elsewhere."""
    mask = torch.zeros_like(x)
    mask[:, :, -1, -1] = 1
    return mask


class Watchful(torch.nn.Module):
    """Says 0 for an image whose last pixel is 0, and 1 for any other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        changed = x[:, 0, -1, -1] * 1000
        return torch.stack([0.5 - changed, changed], dim=1)


class Patient(torch.nn.Module):
    """Says 0 for an image whose last pixel is darker than its first, and 1 for any other."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        changed = (x[:, 0, -1, -1] - x[:, 0, 0, 0]) * 1000 + 1e-2
        return torch.stack([-changed, changed], dim=1)


def make(marks: list[int], model: torch.nn.Module | None = None) -> tuple[ModelUnderTest, Dataset]:
    images = np.zeros((len(marks), 1, 4, 4), np.uint8)
    images[:, 0, 0, 0] = marks
    data = Dataset("made", "here", images, np.zeros(len(marks), np.int64), ("still", "moved"))
    return prepare(from_module(model or Watchful(), "made"), data, torch.device("cpu")), data


def test_each_image_falls_at_its_own_epsilon(planned: dict) -> None:
    marks = [0, 2, 3, 4, 8, 9, 16, 32, 64, 65, 255]
    model, data = make(marks, Patient())
    condition = Condition("attack", "planned", None, grid=GRID)
    progress: list[tuple[int, int]] = []
    found = search(model, data, condition, progress=lambda *at: progress.append(at))
    assert found.top1.tolist() == [[mark > 255 * level for mark in marks] for level in GRID]
    assert replace(found.notes, audited=0) == Notes(11, attacked=11, changed=11)
    assert sum(planned.values()) < len(GRID) * len(marks)
    assert progress[-1][0] == 11


def test_a_perturbation_is_scaled_to_the_next_epsilon_before_that_is_attacked(
    planned: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = make([3, 6, 12] * 4, Patient())
    condition = Condition("attack", "planned", None, grid=GRID)
    for guess, attacked, audited in ((0, 1 + 2 + 3, 0), (5, 2 + 2 + 2, 2)):
        planned.clear()
        monkeypatch.setattr(Search, "_first_guess", lambda self, guess=guess: np.full(12, guess))
        found = search(model, data, condition)
        assert found.top1.sum(1).tolist() == [12, 8, 4, 0, 0, 0]
        assert sum(planned.values()) == 4 * (attacked + audited)


def test_an_image_that_is_wrong_without_an_attack_is_not_attacked(planned: dict) -> None:
    model, data = make([255, 255], Patient())
    found = search(model, data, Condition("attack", "planned", 0.1), np.array([False, True]))
    assert found.top1.tolist() == [[False, True]]
    assert sum(planned.values()) == 1


def test_the_audit_finds_an_attack_that_is_weaker_at_a_larger_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    def attack(model, x, y, budget, rng):
        return torch.where(budget.radius < 3 / 255, x + budget.radius, x)

    monkeypatch.setattr(Search, "_first_guess", lambda self: np.full(20, 3))
    model, data = make([10] * 20)
    with ATTACKS.temporarily("weak", Attack(attack)):
        notes = search(model, data, Condition("attack", "weak", grid=GRID)).notes
    assert "search missed" in notes.flags(1.0, None, minimal=False)[0]


class Silent(Watchful):
    """Passes no gradient to its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).detach()


def test_a_black_box_attack_searches_a_model_without_gradients() -> None:
    model, data = make([2, 9, 40], Silent())

    def attack(model, x, y, budget, rng):
        return x + budget.radius * last_pixel(x)

    with ATTACKS.temporarily("blind", Attack(attack, Traits(gradient=False))):
        tasks = [Task(model, data, Condition("attack", "blind", level, grid=GRID), 0, 0, 64) for level in GRID]
        assert not any(measure(task).top1.any() for task in tasks)
        assert measure(tasks[0]).flags == ()


def test_what_only_a_fraction_of_a_pixel_level_does_is_undone_by_rounding() -> None:
    model, data = make([10])
    for level, rounded in ((0.4 / 255, True), (0.6 / 255, False)):
        with ATTACKS.temporarily("faint", Attack(lambda model, x, y, budget, rng: x + budget.radius)):
            result = measure(Task(model, data, Condition("attack", "faint", level), 0, 0, 64))
        assert (result.top1.item(), result.rounded.item()) == (False, rounded)


def test_a_perturbation_that_rounding_undoes_is_scaled_up_until_it_does_not() -> None:
    attacked: list[float] = []

    def faint(model, x, y, budget, rng):
        attacked.extend(budget.epsilon.tolist())
        return x + budget.radius

    model, data = make([10, 20])
    condition = Condition("attack", "faint", grid=tuple(epsilon / 255 for epsilon in (0.2, 0.4, 0.6, 0.8)))
    with ATTACKS.temporarily("faint", Attack(faint)):
        found = search(model, data, condition)
    assert not found.top1.any()
    assert found.rounded.tolist() == [[True, True], [True, True], [False, False], [False, False]]
    assert len(attacked) == 2


def test_an_image_that_is_not_among_the_first_five_guesses_is_not_under_attack_either(
    twn_digits: ModelUnderTest, digits: Dataset
) -> None:
    wrong = replace(digits.first(64), labels=(digits.labels[:64] + 5) % 10)
    subject = replace(twn_digits, memory={})
    clean = measure(Task(subject, wrong, CLEAN, 0, 0, 64))
    assert 0 < clean.correct_top5 < 64
    attacked = measure(Task(subject, wrong, Condition("attack", "fgsm", GRID[0]), 0, 0, 64))
    assert not (attacked.top5 & ~clean.top5).any()


def test_a_search_of_each_part_has_its_own_audit(
    twn_digits: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = [replace(PGD, level=level, grid=GRID) for level in GRID[::2]]
    data = digits.first(96)

    def found(subject: ModelUnderTest, images: Dataset) -> list[tuple]:
        tasks = [Task(subject, images, condition, 0, 0, 64) for condition in conditions]
        return [(m.top1.tolist(), m.top5.tolist(), m.rounded.tolist()) for m in map(measure, tasks)]

    whole = found(replace(twn_digits, memory={}), data)
    monkeypatch.setattr("robench.engine.task.PART", 64)
    first = found(replace(twn_digits, memory={}), data.first(64))
    cut = found(replace(twn_digits, memory={}), data)
    for everyone, alone, together in zip(whole, first, cut, strict=True):
        assert [outcome[:64] for outcome in together] == list(alone)
        assert sum(a != b for a, b in zip(everyone[0], together[0], strict=True)) <= 2  # audited by another sample
