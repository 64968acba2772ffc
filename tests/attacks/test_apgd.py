import pytest
import torch

from robench.attacks.apgd import _classes, windows
from robench.attacks.apply import perturb
from robench.core.errors import RobenchError
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.engine.blocked import FULL
from robench.engine.model import ModelUnderTest
from robench.engine.verdict import to_pixels

EPSILON = 16 / 255
Batch = tuple[torch.Tensor, torch.Tensor]


def test_checkpoints_are_the_papers() -> None:
    assert windows(100) == [22, 19, 16, 13, 10, 7, 6, 6, 1]
    assert sum(windows(7)) == 7


@pytest.fixture(scope="module")
def batch(digits: Dataset) -> Batch:
    return to_pixels(digits.images[:96], torch.device("cpu")), torch.from_numpy(digits.labels[:96])


@pytest.fixture(scope="module")
def half(batch: Batch) -> Batch:
    return batch[0][:48], batch[1][:48]


def standing(subject: ModelUnderTest, batch: Batch, name: str, **params: object) -> torch.Tensor:
    condition = Condition("attack", name, EPSILON, tuple(sorted(params.items())))
    images = perturb(subject.gradients, *batch, condition, seed=0)
    with torch.inference_mode():
        return subject.original(images).argmax(1) == batch[1]


@pytest.mark.parametrize(("loss", "tolerance"), [("ce", 1), ("dlr", 4)])
def test_apgd_is_no_weaker_than_pgd_with_as_many_steps(
    loss: str, tolerance: int, fp_digits: ModelUnderTest, batch
) -> None:
    pgd = standing(fp_digits, batch, "pgd", steps=20)
    assert 10 < pgd.sum() < 90
    assert standing(fp_digits, batch, "apgd", steps=20, loss=loss).sum() <= pgd.sum() + tolerance


def test_targets_help(fp_digits: ModelUnderTest, half) -> None:
    one, nine = (standing(fp_digits, half, "apgd_targeted", steps=10, targets=n) for n in (1, 9))
    assert not (nine & ~one).any()
    assert nine.sum() <= one.sum()


def test_targets_tried_at_once_give_what_one_after_the_other_gives(
    fp_digits: ModelUnderTest, batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = batch[0][:9], batch[1][:9]
    condition = Condition("attack", "apgd_targeted", EPSILON, (("steps", 8), ("targets", 5)))
    results = []
    for full in (1, 20, 64):
        monkeypatch.setitem(FULL, "cpu", full)
        results.append(perturb(fp_digits.gradients, *few, condition, seed=0))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_the_cascade_leaves_no_more_than_each_of_its_parts(fp_digits: ModelUnderTest, half) -> None:
    settings = {"steps": 10, "targets": 2}
    whole = standing(fp_digits, half, "robench_aa", queries=50, **settings)
    assert whole.sum() <= standing(fp_digits, half, "apgd", steps=10).sum()
    assert whole.sum() <= standing(fp_digits, half, "apgd_targeted", **settings).sum()
    assert whole.sum() <= standing(fp_digits, half, "square", queries=50).sum()


def test_classes_chosen_by_a_linear_model_are_exact_on_one() -> None:
    """Class 1 has the larger logit, and class 2 is nearer, as its weights are larger."""
    layer = torch.nn.Linear(4, 4, bias=False)
    layer.weight.data = torch.tensor([[0.0] * 4, [0.1, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, 0.2, 0]])
    model = torch.nn.Sequential(torch.nn.Flatten(), layer)
    layer.bias = torch.nn.Parameter(torch.tensor([1.0, 0.9, -1.0, 0.0]))
    x, y = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    assert _classes(model, x, y, "linf", "logits").tolist() == [[1, 2, 3]]
    gaps, slopes = torch.tensor([1 - 0.95, 1 - 0.5, 1 - 0.1]), torch.tensor([0.1, 3.0, 0.2])
    expected = (gaps / slopes).argsort() + 1
    for norm in ("linf", "l2"):
        assert _classes(model, x, y, norm, "malt").tolist() == [expected.tolist()]
    assert expected.tolist() == [2, 1, 3]
    with pytest.raises(RobenchError, match="choose of the attack apgd_targeted must be logits or malt"):
        _classes(model, x, y, "linf", "guess")
