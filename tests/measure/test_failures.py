"""What fails under one condition takes that one alone, and is said."""

from pathlib import Path

import pytest
import torch
from torch import nn

import robench
from robench.attacks import ATTACKS, Attack
from robench.core.errors import RobenchError
from robench.measure.run import Request, open_run
from robench.suites.one_line import suite_of


def boom(model: nn.Module, x: torch.Tensor, *others: object) -> torch.Tensor:
    raise RuntimeError("oh no")


def test_one_attack_that_fails_is_not_applicable_and_tried_again(tmp_path: Path) -> None:
    with ATTACKS.temporarily("boom", Attack(boom)):
        suite = suite_of({"attack": ["boom@8/255", "fgsm@8/255"]})
        request = Request(("tr_none_c",), "digits", suite, twin="none", n_images=16, store=tmp_path / "s.sqlite")
        with open_run(request) as run:
            run.measure(run.pending())
            clean, failed, fgsm = run.card(run.requested[0]).measurements
            assert clean.total == fgsm.total == 16
            assert failed.total == 0
            assert failed.flags[0].startswith("n/a: attack/boom/")
            assert "failed with RuntimeError: oh no" in failed.flags[0]
            with pytest.raises(RobenchError, match=r"failed with RuntimeError: oh no.*The rest is measured"):
                run.check_failures()
        with open_run(request) as run:
            assert [item.task.condition.name for item in run.pending()] == ["boom"]


class Rejecting(nn.Module):
    """Raises where a number is not finite, as torch.ao's dynamic layers do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.head = nn.Linear(3 * 32 * 32, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.fc(x.flatten(1))
        if not hidden.detach().isfinite().all():
            raise RuntimeError("min should be less than or equal to max")
        return self.head(hidden)


def test_a_model_that_fails_with_broken_weights_keeps_its_other_rows() -> None:
    suite = suite_of({"fault": ["bit_error@0.1"], "corruption": ["gaussian@3"]})
    card = robench.evaluate(Rejecting(), "digits", suite, twin="none", n_images=16)
    by_kind = {m.condition.kind: m for m in card.measurements}
    assert by_kind["corruption"].total == 16
    assert by_kind["fault"].flags[0].startswith("n/a: ")


class SwappingConv(nn.Conv2d):
    """As in BinaryNet: the weight's data are replaced in the forward pass."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not hasattr(self.weight, "latent"):
            self.weight.latent = self.weight.data.clone()
        self.weight.data = self.weight.latent.sign()
        return super().forward(x)


def test_a_weight_that_is_replaced_in_the_forward_pass_can_be_attacked() -> None:
    """Once what a pass without gradients had made could not be saved for the backward pass."""
    torch.manual_seed(0)
    parts = (nn.Conv2d(3, 8, 3), nn.ReLU(), SwappingConv(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(*parts, nn.Linear(8, 10)).eval()
    card = robench.evaluate(model, "digits", suite_of({"attack": ["pgd@2/255,steps=3"]}), twin="none", n_images=16)
    assert card.measurements[1].total == 16
