import torch

from robench.data.base import Dataset
from robench.engine.folding import agrees, fold_batch_norm
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels


def test_folded_model_has_no_batch_norm_and_the_same_logits(twn_digits: ModelUnderTest, digits: Dataset) -> None:
    bare = twn_digits.original.model
    folded = fold_batch_norm(bare)
    x = to_pixels(digits.images[:32], torch.device("cpu"))
    assert folded is not None
    assert len(folded.folds) == 19
    assert "bn" not in folded.graph.code
    torch.testing.assert_close(folded(x), bare(x), rtol=1e-4, atol=1e-4)


class Branching(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.mean() > 0 else -x


def test_a_model_that_cannot_be_traced_is_not_folded() -> None:
    assert fold_batch_norm(Branching()) is None


def test_changed_weights_are_folded_again_and_the_rest_is_shared() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(64, 5)
    ).eval()
    folded, x = fold_batch_norm(model), torch.rand(2, 3, 4, 4)
    assert folded is not None
    with torch.no_grad():
        model[0].weight.mul_(-2)
        model[3].weight.mul_(3)
    assert not agrees(folded, model, x)
    folded.refresh()
    assert agrees(folded, model, x)


def test_a_convolution_that_is_used_twice_keeps_its_batch_norm() -> None:
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.conv(x)
            return (hidden + self.norm(hidden)).mean((2, 3))

    model = Twice().eval()
    model.norm.running_mean.fill_(3)
    x = torch.rand(2, 3, 4, 4)
    folded = fold_batch_norm(model)
    assert folded is not None
    assert agrees(folded, model, x)


def test_shared_modules_stay_right() -> None:
    conv, norm = torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3)
    norm.running_mean.fill_(1)
    model = torch.nn.Sequential(conv, norm, conv).eval()
    x = torch.rand(2, 3, 4, 4)
    folded = fold_batch_norm(model)
    assert folded is not None
    assert agrees(folded, model, x)
