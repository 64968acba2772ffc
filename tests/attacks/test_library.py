import inspect
import sys
from typing import Any

import pytest

from robench.attacks import ATTACKS
from robench.attacks.apply import check
from robench.attacks.library import Library, arguments, problem
from robench.core.errors import RobenchError
from robench.core.kinds import kind_of
from robench.core.types import Condition

LIBRARY = Library("lib", "lib.attacks", "lib", "pip install lib", {"Old": "it is out of date"})


GAMMA = "\N{GREEK SMALL LETTER GAMMA}_init"


def attack(model: object, eps: float = 0.3, *, steps: int = 10, hook: Any = print, **more: Any) -> None:
    """As libraries write them, but for a name that Python's own style forbids here."""


attack.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *list(inspect.signature(attack).parameters.values())[:-1],
        inspect.Parameter(GAMMA, inspect.Parameter.KEYWORD_ONLY, default=0.5),
    ]
)


def test_parameters_are_those_that_can_be_set_with_greek_letters_spelled_out() -> None:
    assert LIBRARY.parameters(attack) == {"gamma_init": 0.5, "steps": 10}


def test_arguments_are_those_that_the_attack_takes_and_later_ones_win() -> None:
    assert arguments(attack, {"eps": 1, "norm": 2}, {"gamma_init": 3, "eps": 4}) == {"eps": 4, GAMMA: 3}


@pytest.mark.parametrize(
    ("value", "default", "wanted"),
    [(1, 0.5, ""), (True, 0.5, "a number"), ("x", 3, "a number"), (1, True, "true or false"), (1, "ce", "text")],
)
def test_a_parameter_is_judged_by_its_default(value: Any, default: Any, wanted: str) -> None:
    assert problem(value, default).startswith(wanted)
    assert bool(problem(value, default)) == bool(wanted)


def test_a_refused_attack_says_why() -> None:
    with pytest.raises(RobenchError, match="lib:Old is not run: it is out of date"):
        LIBRARY.find("Old", {})


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(RobenchError, match="lib has no attack 'Pgd'; did you mean PGD"):
        LIBRARY.find("Pgd", {"PGD": None})


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("torchattacks:PGD", "pip install torchattacks"),
        ("foolbox:LinfPGD", "pip install foolbox"),
        ("adv_lib:ddn", "pip install --no-build-isolation adv-lib"),
    ],
)
def test_a_library_that_is_not_here_is_one_sentence(name: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == name.partition(":")[0]]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name.partition(":")[0], None)  # as Python has it for a module that is not there
    with pytest.raises(RobenchError, match=f"needs the package .*; run: .*{line}"):
        check(Condition("attack", name, 0.1))


def test_the_librarys_version_and_an_implied_norm_are_written_down() -> None:
    condition = Condition("attack", "torchattacks:PGDL2", 0.5, (("steps", 3),))
    resolved = kind_of(condition).resolve(condition)
    assert resolved.setting("norm") == "l2"
    assert str(resolved.fact("library")).startswith("torchattacks 3.")
    assert kind_of(condition).label(resolved) == "torchattacks:PGDL2 (l2, 3) 0.5"
    assert kind_of(condition).resolve(resolved) == resolved


def test_time_limits_that_make_no_sense_are_one_sentence() -> None:
    for value in (0, -1, "x", True):
        with pytest.raises(
            RobenchError, match="time_limit_s of the attack torchattacks:PGD must be a number of seconds"
        ):
            check(Condition("attack", "torchattacks:PGD", 0.1, (("time_limit_s", value),)))


@pytest.mark.parametrize("name", ["torchattacks", "foolbox", "adv_lib"])
def test_refused_attacks_are_not_among_those_that_run(name: str) -> None:
    attack_ = ATTACKS[name]
    assert attack_.library is not None
    assert not set(attack_.library.refused) & set(attack_.variants)
