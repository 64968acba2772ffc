import torch

from robench.data.base import Dataset
from robench.models.folding import agrees, fold_batch_norm
from robench.subject import Subject, to_pixels


def test_folded_model_has_no_batch_norm_and_the_same_logits(twn_digits: Subject, digits: Dataset) -> None:
    bare = twn_digits.model.model
    folded = fold_batch_norm(bare)
    x = to_pixels(digits.images[:32], torch.device("cpu"))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.children())
    assert "bn" not in folded.code
    torch.testing.assert_close(folded(x), bare(x), rtol=1e-4, atol=1e-4)


class Branching(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.mean() > 0 else -x


def test_a_model_that_cannot_be_traced_comes_back() -> None:
    model = Branching()
    assert fold_batch_norm(model) is model


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
    assert agrees(fold_batch_norm(model), model, x)


def test_shared_modules_stay_right() -> None:
    conv, norm = torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3)
    norm.running_mean.fill_(1)
    model = torch.nn.Sequential(conv, norm, conv).eval()
    x = torch.rand(2, 3, 4, 4)
    assert agrees(fold_batch_norm(model), model, x)
