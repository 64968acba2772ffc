import pytest
import torch

from robench.attacks import losses
from robench.core.errors import RobenchError

LOGITS = torch.tensor([[5.0, 3.0, 1.0, 0.0], [0.0, 4.0, 2.0, 1.0]])
Y = torch.tensor([0, 0])


def test_by_hand() -> None:
    assert losses.misclassification_margin(LOGITS, Y).tolist() == [-2, 4]
    torch.testing.assert_close(losses.dlr(LOGITS, Y), torch.tensor([-2 / 4, 4 / 3]))
    targeted = losses.dlr_targeted(LOGITS, Y, torch.tensor([2, 2]))
    torch.testing.assert_close(targeted, torch.tensor([-4 / 4.5, 2 / 3.5]))


@pytest.mark.parametrize("name", ["dlr", "ce_scaled", "hns"])
@pytest.mark.parametrize("factor", [1e-2, 1e2])
def test_what_does_not_change_when_logits_are_scaled(name: str, factor: float) -> None:
    torch.testing.assert_close(losses.named(name)(LOGITS * factor, Y), losses.named(name)(LOGITS, Y))


def test_hessian_norm_scaling_of_two_classes_is_where_the_closed_form_is_largest() -> None:
    """s^2 p (1 - p) of a gap s is largest near s = 2.4."""
    gap = torch.linspace(1, 5, 4001)
    best = gap[(gap**2 * gap.sigmoid() * (-gap).sigmoid()).argmax()]
    found = losses.hns(torch.tensor([[40.0, 0.0]]), torch.tensor([0]))  # saturated: its own gradient would be 4e-18
    assert abs(float(best) - 2.4) < 0.01
    nearest = losses.SCALES[(losses.SCALES.log() - best.log()).abs().argmin()]
    torch.testing.assert_close(found, torch.nn.functional.softplus(-nearest)[None], rtol=0.15, atol=0)


def test_the_margin_of_probabilities_by_hand() -> None:
    torch.testing.assert_close(
        losses.pma(torch.tensor([[2.0, 0.0]]).log_softmax(1), Y[:1]), -torch.tensor([1.0]).tanh()
    )


def test_too_few_classes_and_unknown_names_are_one_sentence() -> None:
    with pytest.raises(RobenchError, match="dlr loss needs 3 classes"):
        losses.dlr(LOGITS[:, :2], Y)
    with pytest.raises(RobenchError, match="targeted dlr loss needs 4 classes"):
        losses.dlr_targeted(LOGITS[:, :3], Y, Y)
    with pytest.raises(RobenchError, match="did you mean dlr"):
        losses.named("dlrr")
