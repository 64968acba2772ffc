import subprocess
import sys
from pathlib import Path

import pytest
import torch

from robench.attacks.toolbox import loss_and_gradient
from robench.data.base import Dataset
from robench.engine.blocked import Blocked, settled
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels


@pytest.mark.parametrize("size", [1, 7, 64, 65, 130])
def test_logits_of_an_image_do_not_depend_on_the_batch(size: int, twn_digits: ModelUnderTest, digits: Dataset) -> None:
    x = to_pixels(digits.images[: min(130, 16 * size)], torch.device("cpu"))
    with torch.inference_mode():
        whole = twn_digits.original(x)
        parts = torch.cat([twn_digits.original(part) for part in x.split(size)])
    assert torch.equal(whole, parts)


def test_gradients_of_an_image_do_not_depend_on_the_batch(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    x = to_pixels(digits.images[:70], torch.device("cpu"))

    def gradient(part: torch.Tensor) -> torch.Tensor:
        part = part.clone().requires_grad_()
        return torch.autograd.grad(twn_digits.original(part).logsumexp(1).sum(), part)[0]

    assert torch.equal(gradient(x)[:5], gradient(x[:5]))


def test_logits_are_the_bare_models() -> None:
    bare = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 5))
    x = torch.rand(10, 3, 8, 8)
    torch.testing.assert_close(Blocked(bare, (4,))(x), bare(x))


def test_blocks_on_threads_give_the_same_bits_in_the_callers_mode(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    x = to_pixels(digits.images[:130], torch.device("cpu"))
    y = torch.from_numpy(digits.labels[:130])
    two, three = (Blocked(twn_digits.exact.model, (8, 32), workers) for workers in (2, 3))
    assert torch.equal(
        loss_and_gradient(two, x, y).gradient, loss_and_gradient(three, x.flip(0), y.flip(0)).gradient.flip(0)
    )
    with torch.inference_mode():
        whole = two(x)
        assert whole.is_inference()
        assert torch.equal(whole, torch.cat([three(part) for part in x.split(50)]))
    with torch.no_grad():
        assert not two(x.requires_grad_()).requires_grad


@pytest.mark.parametrize(
    ("images", "blocks"),
    [(0, [8]), (1, [8]), (9, [8, 8]), (23, [8, 8, 8]), (25, [16, 16]), (40, [16, 16, 8]), (64, [32, 32])],
)
def test_blocks_keep_all_workers_busy(images: int, blocks: list[int]) -> None:
    asked = []
    bare = torch.nn.Flatten()
    bare.register_forward_hook(lambda _, inputs, __: asked.append(len(inputs[0])))
    x = torch.rand(images, 1, 2, 2)
    assert torch.equal(Blocked(bare, (8, 16, 32), workers=2)(x), x.flatten(1))
    assert sorted(asked, reverse=True) == blocks


class Uneven(torch.nn.Module):
    """Rounds otherwise in small batches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + (1e-6 if len(x) < 32 else 0.0)).flatten(1)


class Blind(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach().flatten(1)


def test_small_blocks_are_for_models_that_give_the_same_bits_in_them(
    twn_digits: ModelUnderTest, digits: Dataset
) -> None:
    x = to_pixels(digits.images[:40], torch.device("cpu"))
    models = [twn_digits.exact.model, Uneven(), Blind()]
    sizes = [settled(Blocked(model, (8, 32), workers=2), x).sizes for model in models]
    assert sizes == [(8, 32), (32,), (32,)]


LAST_WORDS = """
import atexit, threading
from pathlib import Path
import torch
from torch import nn
from robench.attacks.toolbox import loss_and_gradient
from robench.engine.blocked import Blocked

tasks = []
atexit.register(lambda: print([Path(task).exists() for task in tasks]))  # runs last
model = Blocked(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 10)), (8,), workers=2)
loss_and_gradient(model, torch.rand(64, 3, 8, 8), torch.zeros(64, dtype=torch.long))
tasks += [f"/proc/self/task/{t.native_id}" for t in threading.enumerate() if t is not threading.main_thread()]
print([Path(task).exists() for task in tasks])
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to see threads")
def test_threads_are_gone_before_the_interpreter_is() -> None:
    done = subprocess.run([sys.executable, "-c", LAST_WORDS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[True, True]", "[False, False]"]


def test_a_model_that_normalises_in_place_does_not_change_the_callers_images() -> None:
    class InPlace(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sub_(0.5).flatten(1)

    x = torch.rand(64, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    with torch.no_grad():
        Blocked(InPlace())(x)
    assert torch.equal(x, before)
