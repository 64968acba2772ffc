import pytest
import torch

from robench.engine.folding import fold_batch_norm
from robench.engine.surrogate import straight_through


class Steps(torch.nn.Module):
    def __init__(self, step: str, method: bool) -> None:
        super().__init__()
        self.step, self.method = step, method
        self.fc = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stepped = getattr(3 * x, self.step)() if self.method else getattr(torch, self.step)(3 * x)
        return self.fc(stepped)


@pytest.mark.parametrize("method", [True, False])
@pytest.mark.parametrize("step", ["round", "floor", "ceil", "trunc", "sign", "sgn"])
def test_the_same_logits_and_a_gradient_where_there_was_none(step: str, method: bool) -> None:
    model = Steps(step, method).requires_grad_(False)
    folded = fold_batch_norm(model)
    assert folded is not None
    surrogate = straight_through(folded)
    assert surrogate is not None
    x = torch.tensor([[0.1, 0.2, 0.7, -0.9]], requires_grad=True)
    (none,) = torch.autograd.grad(folded(x)[:, 0].sum(), x)
    (some,) = torch.autograd.grad(surrogate(x)[:, 0].sum(), x)
    assert torch.equal(surrogate(x), model(x))
    assert not none.any()
    passes = (3 * x).abs() < 1 if step in ("sign", "sgn") else torch.ones_like(x)
    torch.testing.assert_close(some, 3 * model.fc.weight[:1] * passes)


def test_a_model_without_steps_needs_none() -> None:
    folded = fold_batch_norm(torch.nn.Linear(4, 3))
    assert folded is not None
    assert straight_through(folded) is None
