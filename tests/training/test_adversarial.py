import pytest
import torch

from robench.core.errors import RobenchError
from robench.training.adversarial import check, perturb


def test_on_a_linear_model_the_step_follows_the_weights() -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2, bias=False))
    x, y = torch.full((4, 3, 2, 2), 0.5), torch.tensor([0, 1, 0, 1])
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    result = perturb(model, x, y, 0.03, torch.Generator().manual_seed(0))
    away = (model[1].weight[1 - y] - model[1].weight[y]).sign().view_as(x)
    torch.testing.assert_close(result, x + 0.06 * noise + 0.03 * away)


def test_a_collapse_of_robust_accuracy_stops_the_training() -> None:
    check(0.2, 0.3, 5)
    with pytest.raises(RobenchError, match=r"catastrophic overfitting in epoch 5: .* from 30\.0% to 2\.0%"):
        check(0.02, 0.3, 5)
