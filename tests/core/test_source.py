"""What changes a digest of code, and what does not."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from robench.attacks import ATTACKS
from robench.core.source import code_digest
from robench.corruptions import CORRUPTIONS
from robench.distortions import DISTORTIONS

PLUGIN = '''
"""A plug-in."""
import numpy as np
from helper import double

STRENGTH = 1.0
TABLE = {"a": [1, 2]}
WEIGHTS = np.ones(3)

def other(x):
    return x in {1, 2}

class Model:
    """A model."""
    factor = 2

    def forward(self, x):
        return double(x) * STRENGTH

def noise(x, *, scale=1):
    """Adds."""
    return other(x + STRENGTH * scale)
'''


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it is known by the second and the size of its source

    def load(name: str, text: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        return module

    def of(text: str = PLUGIN, helper: str = "def double(x):\n    return 2 * x\n") -> tuple[str, str]:
        load("helper", helper)
        module = load("plugin", text)
        return code_digest(module.noise), code_digest(module.Model)

    return of


def test_equal_code_has_equal_digests_whatever_its_comments(digests) -> None:
    first = digests()
    assert first == digests()
    assert first == digests(PLUGIN.replace("STRENGTH = 1.0", "STRENGTH = 1.0  # of the noise"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STRENGTH = 1.0", "STRENGTH = 10.0"),
        ("x + STRENGTH", "x - STRENGTH"),
        ("scale=1", "scale=2"),
        ("{1, 2}", "{1, 3}"),
        ("[1, 2]", "[1, 3]"),
        ("np.ones(3)", "np.zeros(3)"),
        ("factor = 2", "factor = 3"),
        ("double(x) *", "1000 * double(x) *"),
    ],
)
def test_any_change_of_the_module_changes_both(digests, old: str, new: str) -> None:
    before, after = digests(), digests(PLUGIN.replace(old, new))
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_helper_of_the_users_counts(digests) -> None:
    assert digests() != digests(helper="def double(x):\n    return 3 * x\n")


def test_a_closure_counts() -> None:
    def make(factor: int):
        return lambda x: factor * x

    assert code_digest(make(1)) == code_digest(make(1))
    assert code_digest(make(1)) != code_digest(make(1000))


def test_what_has_no_code_is_no_error() -> None:
    assert code_digest(print, len, object()) == code_digest(print)


def test_every_registered_function_has_a_digest() -> None:
    functions = [CORRUPTIONS[name].function for name in CORRUPTIONS] + [ATTACKS[name].function for name in ATTACKS]
    functions += [DISTORTIONS[name].function for name in DISTORTIONS]
    digests = [code_digest(function) for function in functions]
    assert digests == [code_digest(function) for function in functions]


@pytest.mark.parametrize(
    "of",
    [
        lambda x: x.requires_grad_(),
        lambda x: (2 * x.requires_grad_()).sum(),
        lambda x: x.bfloat16(),
        lambda x: x.to_sparse(),
        lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    ],
)
def test_tensors_of_any_kind_beside_a_function_count(of: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """As a notebook has them, where a plug-in stands beside a training loop."""

    def digest(value: float) -> str:
        space = {"__name__": "notebook"}
        exec("def noise(x):\n    return x\n", space)
        space["kept"] = of(torch.tensor([1.0, value]))
        return code_digest(space["noise"])

    assert digest(2.0) == digest(2.0) != digest(3.0)


def test_a_function_of_autograds_is_the_same_each_time_it_is_made() -> None:
    """Torch counts them in the class of the backward, which is made with each."""
    import torch

    def make() -> type:
        class Round(torch.autograd.Function):
            @staticmethod
            def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
                return x.round()

            @staticmethod
            def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
                return gradients[0]

        return Round

    assert code_digest(make()) == code_digest(make())
