"""What is drafted in bfloat16 comes out as in float32, image by image, with fewer passes in float32."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from robench import zoo
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.drafts import CALIBRATED, Judge
from robench.engine.model import ModelUnderTest
from robench.engine.precision import BFloat16
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.engine.verdict import judge, to_pixels
from robench.measure.measure import measure

CPU = torch.device("cpu")
IMAGES = 192


@pytest.fixture(scope="module", params=["twn_resnet20", "tr_none_c"])
def drafting(request: pytest.FixtureRequest, digits: Dataset) -> ModelUnderTest:
    return prepare(zoo.load(request.param, "digits", 10), digits, CPU, "bfloat16")


class Off(BFloat16):
    """Drafts that are off by up to ``most`` of the largest logit."""

    most = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.model(x)
        noise = 2 * torch.rand(logits.shape, generator=torch.Generator().manual_seed(0)) - 1
        return logits + self.most * noise * logits.abs().amax(1, keepdim=True)


def off_by(model: ModelUnderTest, most: float) -> ModelUnderTest:
    rough = Off(model.exact.model)
    rough.most = most
    return replace(model, gradients=Blocked(rough, exact=model.exact))


def counted(model: ModelUnderTest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images of each pass in float32, from now on."""
    counts: list[int] = []
    forward = Blocked.forward

    def count(self: Blocked, x: torch.Tensor) -> torch.Tensor:
        if self is model.exact:
            counts.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(Blocked, "forward", count)
    return counts


@pytest.mark.parametrize(
    "condition",
    [
        Condition("corruption", "gaussian", 5),
        Condition("distortion", "gaussian", 0.8),
        Condition("fault", "bit_error", 0.05),
    ],
    ids=lambda c: c.key,
)
def test_no_outcome_differs(drafting: ModelUnderTest, digits: Dataset, condition: Condition) -> None:
    data = digits.first(IMAGES)
    plain = replace(drafting, gradients=drafting.exact, memory={})
    ours, theirs = (measure(Task(model, data, condition, 0, 0, 128)) for model in (drafting, plain))
    assert np.array_equal(ours.top1, theirs.top1)
    assert np.array_equal(ours.top5, theirs.top5)


def test_sure_images_take_no_pass_in_float32(
    drafting: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = counted(drafting, monkeypatch)
    x, y = to_pixels(digits.images[:IMAGES], CPU), torch.from_numpy(digits.labels[:IMAGES])
    Judge(drafting)(x, y)
    assert counts[0] == CALIBRATED
    assert sum(counts) < IMAGES - 64


@pytest.mark.parametrize("most", [0.0, 0.02, 0.3, float("nan")])
def test_however_far_drafts_are_off_float32_decides(drafting: ModelUnderTest, digits: Dataset, most: float) -> None:
    x, y = to_pixels(digits.images[:IMAGES], CPU), torch.from_numpy(digits.labels[:IMAGES])
    x = (x + 0.4 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    expected = judge(drafting.exact, x, y)
    judged = Judge(off_by(drafting, most))
    found = [judged(*part) for part in zip(x.split(80), y.split(80), strict=True)]
    for ours, theirs in zip(map(np.concatenate, zip(*found, strict=True)), expected, strict=True):
        assert np.array_equal(ours, theirs)
    assert 0.05 < expected[0].mean() < 0.99


def test_errors_that_grow_are_met_with_more_passes(
    drafting: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = off_by(drafting, 0.05)
    x, y = to_pixels(digits.images[:IMAGES], CPU), torch.from_numpy(digits.labels[:IMAGES])
    judged = Judge(model)
    judged.seen = CALIBRATED  # as if no error had been seen
    found = judged(x, y)
    assert 0 < judged.error <= 0.05 or np.array_equal(found[0], judge(model.exact, x, y)[0])


def test_models_without_gradients_in_bfloat16_are_judged_as_ever(
    drafting: ModelUnderTest, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = replace(drafting, gradients=drafting.exact)
    counts = counted(plain, monkeypatch)
    x, y = to_pixels(digits.images[:IMAGES], CPU), torch.from_numpy(digits.labels[:IMAGES])
    Judge(plain)(x, y)
    assert counts == [IMAGES]
