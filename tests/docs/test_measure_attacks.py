"""Optimality in closed form, and the passes and perturbations that are counted."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "docs" / "measure_attacks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("attacks", "ledger", "optimality"):
        monkeypatch.delitem(sys.modules, name, raising=False)


class Sum(torch.nn.Module):
    """Class 1 where the pixels add up to more than a half of their number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        margin = x.flatten(1).mean(1) - 0.5
        return torch.stack([-margin, margin], 1)


def test_optimality_is_by_hand() -> None:
    from optimality import best_of, optimality

    best = np.array([0.0, 1.0, 2.0, 4.0, np.inf])
    found = np.array([0.0, 1.0, 3.0, np.inf, np.inf])
    # Over the four images that something fools: areas 7/4 and 8/4, and 3/4 * 4 where nothing is found.
    assert optimality(best, best) == 1.0
    assert optimality(found, best) == pytest.approx(1 - (2 - 1.75) / (3 - 1.75))
    nothing = np.where(best > 0, np.inf, 0.0)
    assert optimality(nothing, best) == 0.0
    assert (best_of([found, best]) == best).all()
    assert np.isnan(optimality(np.zeros(2), np.zeros(2)))


def test_the_ledger_counts_passes_and_keeps_the_smallest_that_fools() -> None:
    from ledger import Counted, Ledger

    x = torch.tensor([0.4, 0.6]).view(2, 1, 1, 1).expand(2, 3, 2, 2).contiguous()
    x[:, 0, 0, 0] = torch.tensor([0.9, 0.1])  # far from each other, and near to a mean of a half
    ledger = Ledger(x, torch.tensor([0, 1]), largest=0.5, passes=4)
    model = Counted(Sum(), ledger)
    other = (x + torch.tensor([0.07, -0.06]).view(2, 1, 1, 1)).flip(0).requires_grad_()  # in another order
    model(other).sum().backward()
    assert ledger.spent.tolist() == [2, 2]
    assert ledger.smallest == pytest.approx([0.07, 0.06])
    with torch.no_grad():
        model(x[1:] + 0.6)  # out of the box
        assert ledger.smallest == pytest.approx([0.07, 0.06])
        model(x[:1] + 0.065)
        model(x[:1] + 0.066)
        assert ledger.smallest == pytest.approx([0.065, 0.06])
        model(x[:1] + 0.061)  # too late
    assert ledger.smallest == pytest.approx([0.065, 0.06])
    assert ledger.spent.tolist() == [5, 3]


def test_a_copy_in_low_precision_gives_no_verdicts() -> None:
    from ledger import Counted, Ledger

    x = torch.full((1, 3, 2, 2), 0.2)
    ledger = Ledger(x, torch.tensor([0]), largest=0.5)
    Counted(Sum(), ledger, verdicts=False)(x + 0.4)
    assert ledger.spent.tolist() == [1]
    assert np.isinf(ledger.smallest).all()


def test_attacks_of_robench_and_of_a_library_run_on_one_model(twn_digits, digits) -> None:
    from attacks import PEERS, finely, of_peer, of_robench, protocol
    from optimality import optimality

    data, largest = digits.first(12), 64 / 255
    fmn = next(condition for condition in protocol(largest) if condition.name == "fmn")
    ours = of_robench([finely(fmn, largest, 20)], twn_digits, data, largest)
    theirs = of_peer(PEERS["torchattacks PGD"], twn_digits, data, largest, 48)
    assert ((ours.distances == 0) == (theirs.distances == 0)).all()
    assert np.isfinite(ours.distances).mean() > 0.8
    assert optimality(theirs.distances, np.minimum(ours.distances, theirs.distances)) > 0.5
    attacked = ours.distances > 0
    assert (ours.passes[attacked] >= 40).all()
    assert (ours.passes[attacked] <= 56).all()
    assert (theirs.passes[attacked] <= 60).all()
    assert type(twn_digits.exact.model).__name__ != "Counted"
