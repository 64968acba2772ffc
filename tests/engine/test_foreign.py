"""Modules that do not behave as torch's own."""

import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch.ao.quantization import FakeQuantizeBase, get_default_qat_qconfig, prepare_qat

from robench.core.errors import RobenchError
from robench.data.base import Dataset
from robench.engine.folding import fold_batch_norm
from robench.engine.foreign import Borrowed, gradient_obstacle, in_eval_mode, own_copy, prepared
from robench.engine.identity import parameters_sha256
from robench.engine.loaded import NO_COPY, NO_WEIGHTS, from_module
from robench.engine.prepare import prepare
from robench.engine.seen import with_seen_weights
from robench.engine.tracing import trace
from robench.formats import from_any

CPU = torch.device("cpu")


class Runtime(torch.nn.Module):
    """What a runtime that is not torch sees of an image, it computes with; it writes down what it was given."""

    def __init__(self, leave: Any) -> None:
        super().__init__()
        self.leave, self.given = leave, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        array = self.leave(x)
        self.given.append(type(array))
        return torch.from_numpy(np.asarray(array, np.float32).reshape(len(array), -1)[:, :10].copy())


WAYS = [
    lambda x: x.detach().numpy(),
    lambda x: np.asarray(x.detach()),
    lambda x: np.array(x.cpu().detach().contiguous()),
    lambda x: np.from_dlpack(x.detach()),
]


@pytest.mark.parametrize("leave", WAYS)
def test_a_foreign_runtime_is_never_handed_a_placeholder(leave: Any, digits: Dataset) -> None:
    runtime = Runtime(leave)
    with pytest.raises(Exception, match=r"leaves torch|dlpack"):
        trace(runtime)
    assert fold_batch_norm(runtime) is None
    assert runtime.given == []
    tested = prepare(from_module(runtime, "runtime", own=True), digits, CPU)
    assert set(runtime.given) == {np.ndarray}
    assert tested.no_gradient == "the model passes no gradient to its input"
    assert tested.sealed == NO_WEIGHTS


def test_a_reason_is_given_where_the_runtime_has_one() -> None:
    assert "Can't call numpy() on Tensor" in gradient_obstacle(Runtime(lambda x: x.numpy()), torch.rand(1, 3, 8, 8))
    assert gradient_obstacle(torch.nn.Flatten(), torch.rand(1, 3, 8, 8)) == ""


def test_observers_of_networks_in_quantization_aware_training_are_stopped() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10)
    )
    module.qconfig = get_default_qat_qconfig("x86")
    prepare_qat(module.train(), inplace=True)
    module(torch.rand(4, 3, 8, 8))
    x = torch.rand(4, 3, 8, 8)
    found = with_seen_weights(from_module(module, "mine"), x)
    assert [weight.bits for weight in found.stored.values()] == [8, 8]
    first = found.module(x)
    found.module(3 * x)  # an observer would take a wider range from now on
    assert torch.equal(found.module(x), first)
    assert all(part.observer_enabled for part in module.modules() if isinstance(part, FakeQuantizeBase))


@pytest.mark.parametrize("wrap", [lambda m: torch.compile(m, backend="eager"), torch.nn.DataParallel])
def test_what_stands_around_a_module_is_taken_off(wrap: Any) -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    loaded = from_any(wrap(module), "wrapped")
    assert list(loaded.stored) == ["1.weight"]
    assert loaded.card.architecture == "Sequential"


def test_lazy_layers_without_weights_are_one_sentence() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(10))
    with pytest.raises(RobenchError, match="mine has lazy layers without weights; run it on an image once"):
        from_module(module, "mine")


class Stubborn(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3 * 32 * 32, 10)

    def train(self, mode: bool = True) -> "Stubborn":
        raise NotImplementedError

    def float(self) -> "Stubborn":
        raise RuntimeError

    def __deepcopy__(self, memo: dict[int, Any]) -> "Stubborn":
        raise TypeError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


def test_a_module_without_modes_is_measured_as_it_is(digits: Dataset) -> None:
    module = in_eval_mode(prepared(Stubborn(), CPU))
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert prepare(from_module(module, "stubborn", own=True), digits, CPU).no_gradient == ""


def test_a_module_that_cannot_be_copied_is_borrowed_and_stays_as_it_is(digits: Dataset) -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(3 * 32 * 32, 10))
    module.lock = threading.Lock()  # nothing copies one
    assert isinstance(own_copy(module), Borrowed)
    tested = prepare(from_module(module, "borrowed"), digits, CPU)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(tested.exact(x), tested.exact(x))  # dropout is off
    assert tested.sealed == NO_COPY
    assert tested.no_gradient == ""
    assert all(part.training for part in module.modules())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_weights_of_any_kind_tell_models_apart() -> None:
    from torch.ao.quantization import quantize_dynamic

    layers = [torch.nn.Sequential(torch.nn.Linear(4, 3)) for _ in range(2)]
    digests = {parameters_sha256(quantize_dynamic(layer, {torch.nn.Linear})) for layer in [*layers, layers[0]]}
    assert len(digests) == 2


def test_weights_of_a_class_of_their_own_are_told_apart_and_left_alone(digits: Dataset) -> None:
    quantization = pytest.importorskip("torchao.quantization")

    def model() -> torch.nn.Module:
        made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
        quantization.quantize_(made, quantization.Int8WeightOnlyConfig())
        return made

    first, second = model(), model()
    assert parameters_sha256(first) != parameters_sha256(second)
    tested = prepare(from_module(first, "int8"), digits, CPU)
    assert "class of their own" in tested.sealed
    assert tested.no_gradient == ""


def test_brevitas_is_measured_with_its_own_gradient(digits: Dataset) -> None:
    brevitas = pytest.importorskip("brevitas.nn")
    layer = brevitas.QuantLinear(3 * 32 * 32, 10, bias=True, weight_bit_width=4)
    tested = prepare(from_module(torch.nn.Sequential(torch.nn.Flatten(), layer), "brevitas"), digits, CPU)
    assert tested.no_gradient == ""
