"""What is said of a bit against what its flip does, on the shipped networks."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from robench import zoo
from robench.data.base import Dataset
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare
from robench.engine.verdict import to_pixels
from robench.faults.apply import target_weights
from robench.faults.victim import CodedTensor, Victim
from robench.quantizers.stored import StoredWeight, coded

CPU = torch.device("cpu")
NAMES = ["int8_resnet20", "ttq_resnet20", "bwn_resnet20", "w8a8_resnet20"]


def victim(tested: ModelUnderTest, digits: Dataset, images: int = 40) -> Victim:
    return Victim(tested, target_weights(tested.original.model, tested.stored), to_pixels(digits.images[:images], CPU))


@pytest.fixture(scope="module", params=NAMES)
def tested(request: pytest.FixtureRequest, digits: Dataset) -> ModelUnderTest:
    return prepare(zoo.load(request.param, "digits", 10), digits, CPU)


def test_gains_are_gradient_times_change(tested: ModelUnderTest, digits: Dataset) -> None:
    """Against the gradient of the model as it was loaded, without any of the engine's shortcuts."""
    found = victim(tested, digits).gains()
    model, x = tested.original.model, to_pixels(digits.images[:40], CPU)
    name = "network.layer2.1.conv1.weight"
    weight = model.state_dict(keep_vars=True)[name]
    weight.requires_grad_(True)
    try:
        logits = model(x)
        (gradient,) = torch.autograd.grad(cross_entropy(logits, logits.argmax(1)), weight)
    finally:
        weight.requires_grad_(False)
    stored = tested.stored[name]
    patterns = stored.patterns()
    for bit in range(stored.bits):
        change = stored.with_patterns(patterns ^ (1 << bit)).weight() - stored.weight()
        expected = (gradient * change).reshape(found[name].shape[:2])
        assert (found[name][..., bit] - expected).norm() <= 0.02 * expected.norm()  # activations round apart


def test_the_loss_with_bits_turned_is_that_of_the_whole_model(tested: ModelUnderTest, digits: Dataset) -> None:
    v = victim(tested, digits)
    before = {name: tensor.clone() for name, tensor in tested.original.model.state_dict().items()}
    x = to_pixels(digits.images[:40], CPU)
    sound = v.loss()
    for name, gain in list(v.gains().items())[::6]:
        places = gain.flatten().topk(20).indices
        loss = v.loss_with(name, places)
        v.flip(name, places)
        with torch.inference_mode():
            expected = float(cross_entropy(tested.original(x), v.y))
        assert loss == pytest.approx(expected, rel=0.02, abs=1e-4)
        v.flip(name, places)
    assert v.loss() == sound
    assert all(torch.equal(tensor, before[name]) for name, tensor in tested.original.model.state_dict().items())


@pytest.mark.parametrize(
    "stored",
    [
        coded(torch.tensor([[-1, 0, 1]]), torch.tensor([[0.5]]), 2),
        coded(torch.tensor([[-1, 0, 1]]), torch.tensor([[0.5], [2.0]]), 2),
        coded(torch.tensor([[-1, 1]]), torch.tensor([[3.0]]), 1),
        coded(torch.tensor([[-128, -1, 0, 127]]), torch.tensor([[0.1]]), 8),
        StoredWeight(torch.tensor([[-7, 0, 7]], dtype=torch.int8), "sign_magnitude", 4, torch.tensor([[0.1]])),
        StoredWeight(
            torch.tensor([[0, 3]], dtype=torch.int8), "offset_binary", 4, torch.ones(1, 1), torch.tensor([[2]]).short()
        ),
    ],
)
def test_every_flip_moves_the_weight_by_what_it_says(stored: StoredWeight) -> None:
    for place in range(stored.values.numel() * stored.bits):
        weight = stored.weight().clone()
        tensor = CodedTensor(weight, stored)
        expected = tensor.gains(torch.ones_like(weight)).flatten()[place]
        tensor.flip(torch.tensor([place]))
        assert float((weight - stored.weight()).sum()) == pytest.approx(float(expected), rel=1e-5)
        tensor.flip(torch.tensor([place]))
        assert weight.equal(stored.weight())
