"""Every attack of the three libraries runs, keeps its budget, and finds what the library alone finds."""

from typing import Any

import pytest
import torch
from torch import nn

from robench.attacks import ATTACKS
from robench.attacks.apply import Perturbed, attempt, check
from robench.attacks.bare import TimeLimit
from robench.attacks.toolbox import size
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.engine.blocked import Blocked

LIBRARIES = ("torchattacks", "foolbox", "adv_lib")
FEW = {
    "steps": 3,
    "nb_iter": 1,
    "nb_sample": 2,
    "n_queries": 5,
    "max_iterations": 20,
    "binary_search_steps": 2,
    "restarts": 1,
    "popsize": 3,
    "n_iter": 3,
    "num_steps": 5,
    "iter": 3,
    "max_iter": 3,
    "df_steps": 3,
    "repeats": 3,
    "directions": 3,
    "initial_gradient_eval_steps": 3,
    "max_gradient_eval_steps": 5,
}
"""Cheap settings, by the names that the libraries use."""
SPECIAL = {"JSMA": {"gamma": 0.01}, "AutoAttack": {"version": "rand"}, "str_attack": {"retrain": False}}
SECONDS = 1.0
"""The slowest are ended by the time limit, which is a way of running, too."""
EPSILONS = {"linf": 0.1, "l2": 1.0}


def variants(name: str) -> list[tuple[str, str]]:
    return [(name, attack) for attack in ATTACKS[name].variants]


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 10)
    return nn.Sequential(*layers).eval().requires_grad_(False)


MODEL = network()
X = torch.rand((3, 3, 16, 16), generator=torch.Generator().manual_seed(1))
Y = MODEL(X).argmax(1)


def run(
    name: str,
    attack: str,
    norm: str,
    epsilon: float,
    model: nn.Module = MODEL,
    x: torch.Tensor = X,
    y: torch.Tensor = Y,
    seconds: float = 60,
    **params: Any,
) -> Perturbed:
    condition = Condition("attack", f"{name}:{attack}", epsilon, tuple(sorted({**params, "norm": norm}.items())))
    check(condition)
    return attempt(model, x, y, condition, seed=0, limit=TimeLimit(seconds))


@pytest.mark.parametrize(("name", "attack"), [pair for name in LIBRARIES for pair in variants(name)])
def test_every_attack_runs_within_each_of_its_budgets(name: str, attack: str) -> None:
    pytest.importorskip(name)
    entry = ATTACKS[name]
    assert entry.library is not None
    takes = entry.library.parameters(entry.library.find(attack, entry.variants))
    params = {key: value for key, value in FEW.items() if key in takes} | SPECIAL.get(attack, {})
    for norm in entry.variants[attack].norms:
        found = run(name, attack, norm, EPSILONS[norm], seconds=SECONDS, **params)
        assert (size(found.images - X, norm) <= EPSILONS[norm] + 1e-5).all()
        assert not found.broken.any()
        assert found.images.min() >= 0
        assert found.images.max() <= 1


def test_the_table_of_torchattacks_is_complete() -> None:
    library = pytest.importorskip("torchattacks")
    entry = ATTACKS["torchattacks"]
    assert {*entry.variants, *entry.library.refused} == set(library.__all__)


def test_the_table_of_foolbox_is_complete() -> None:
    library = pytest.importorskip("foolbox.attacks")
    entry = ATTACKS["foolbox"]
    known = {name for name, thing in vars(library).items() if isinstance(thing, type)}
    assert {*entry.variants, *entry.library.refused} == known


def test_the_table_of_adversarial_library_is_complete() -> None:
    library = pytest.importorskip("adv_lib.attacks")
    known = {name for name, thing in vars(library).items() if callable(thing) and not name.startswith("_")}
    assert set(ATTACKS["adv_lib"].variants) == known


def wrong(images: torch.Tensor) -> list[bool]:
    return (MODEL(images).argmax(1) != Y).tolist()


@pytest.mark.parametrize("attack", ["AutoAttack", "FAB", "APGD", "APGDT"])
def test_torchattacks_is_told_the_norm(attack: str) -> None:
    """Once it ran in Linf whatever the norm was, and all that it found was beyond an L2 budget."""
    library = pytest.importorskip("torchattacks")
    params = SPECIAL.get(attack, {})
    bare = getattr(library, attack)(MODEL, norm="L2", eps=0.5, seed=0, **params)(X, Y)
    found = run("torchattacks", attack, "l2", 0.5, **params)
    assert any(wrong(bare))
    assert wrong(found.images) == wrong(bare)
    assert not found.beyond.any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_official_cascade_gives_what_it_gives_alone(norm: str) -> None:
    package = pytest.importorskip("pyautoattack")
    found = run("autoattack", "standard", norm, EPSILONS[norm], seconds=120)
    named = {"linf": "Linf", "l2": "L2"}[norm]
    alone, _ = package.AutoAttack(MODEL, norm=named, eps=EPSILONS[norm], seed=0).run_standard_evaluation(X, Y)
    assert wrong(found.images) == wrong(alone)
    assert not found.beyond.any()
    assert not found.unfinished.any()
    with pytest.raises(RobenchError, match="AutoAttack has no version 'fast'"):
        run("autoattack", "fast", norm, 0.1)


def test_the_number_of_classes_is_passed_on() -> None:
    pytest.importorskip("torchattacks")
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 5)).requires_grad_(False)
    found = run("torchattacks", "APGDT", "linf", 0.1, model, X, model(X).argmax(1), steps=3)
    assert (model(found.images).argmax(1) != model(X).argmax(1)).all()


class Hyperplane(nn.Module):
    """Two classes on the sides of a plane through the middle of the box: every distance is known."""

    def __init__(self) -> None:
        super().__init__()
        self.normal = nn.Parameter(torch.randn(48, generator=torch.Generator().manual_seed(2)), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        side = (x.flatten(1) - 0.5) @ self.normal
        return torch.stack([side, -side], 1)


MINIMAL = [
    ("torchattacks:DeepFool", {}),
    ("torchattacks:FAB", {"steps": 20}),
    ("foolbox:L2DeepFoolAttack", {}),
    ("foolbox:DDNAttack", {"init_epsilon": 0.5}),
    ("adv_lib:df", {}),
    ("adv_lib:ddn", {"steps": 60, "levels": 100_000}),
]


@pytest.mark.parametrize(("name", "params"), MINIMAL)
def test_an_image_falls_to_a_minimal_attack_where_the_plane_is_within_epsilon(name: str, params: dict) -> None:
    pytest.importorskip(name.partition(":")[0])
    model = Hyperplane()
    direction = (model.normal / model.normal.norm()).view(1, 3, 4, 4)
    distances = torch.tensor([0.1, -0.2, 0.6, -0.9])
    x = 0.5 + distances.view(-1, 1, 1, 1) * direction
    y = (distances < 0).long()
    found = run(*name.split(":"), "l2", 0.4, model, x, y, **params)
    assert (model(found.images).argmax(1) != y).tolist() == [True, True, False, False]
    # Those that fell are as near as they can be, but for the overshoot that fools.
    assert (size(found.images - x, "l2")[:2] <= 1.1 * distances.abs()[:2] + 0.01).all()


def test_images_are_contiguous_for_a_model_that_orders_channels_last() -> None:
    """Once torchattacks:PGDL2 ended in "view size is not compatible"."""
    pytest.importorskip("torchattacks")
    found = run("torchattacks", "PGDL2", "l2", 2.0, Blocked(MODEL), alpha=0.5)
    assert any(wrong(found.images))


def test_an_l2_attack_under_linf_is_refused_in_one_sentence() -> None:
    with pytest.raises(RobenchError, match="the norm of torchattacks:PGDL2 must be l2, not 'linf'"):
        run("torchattacks", "PGDL2", "linf", 0.1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("torchattacks:LGV", "it trains the model"),
        ("foolbox:SpatialAttack", "it shifts and rotates"),
        ("foolbox:L1PGD", "its budget is in L1"),
    ],
)
def test_a_refused_attack_says_why(name: str, reason: str) -> None:
    with pytest.raises(RobenchError, match=f"{name} is not run: {reason}"):
        check(Condition("attack", name, 0.1))


def test_a_second_run_gives_the_same_images() -> None:
    for name, attack, params in (
        ("torchattacks", "OnePixel", {"steps": 2}),
        ("foolbox", "BoundaryAttack", {"steps": 9}),
    ):
        pytest.importorskip(name)
        first, second = (run(name, attack, "l2", 1.0, **params).images for _ in range(2))
        assert torch.equal(first, second)
