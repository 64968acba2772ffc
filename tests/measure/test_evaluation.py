"""The whole way from a name to a card."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import robench
from robench import zoo
from robench.core.errors import NotHereError, RobenchError
from robench.core.types import Measurement, ResultCard
from robench.data import choose
from robench.data.base import Dataset
from robench.engine.blocked import Blocked
from robench.engine.loaded import from_module
from robench.engine.prepare import prepare
from robench.engine.task import Task
from robench.measure.run import Request, open_run

QUICKEST = "alexnet_none_c"
SMALL = {"suite": "quick", "dataset": "digits", "n_images": 70}


def same(first: ResultCard, second: ResultCard) -> bool:
    pairs = zip(first.measurements, second.measurements, strict=True)
    return all(
        a.condition == b.condition and np.array_equal(a.top1, b.top1) and np.array_equal(a.top5, b.top5)
        for a, b in pairs
    )


@pytest.fixture(scope="module")
def card() -> ResultCard:
    return robench.evaluate("tr_none_c", **SMALL)


def test_card_holds_every_measurement_of_the_suite(card: ResultCard) -> None:
    assert len(card.measurements) == sum(condition.draws for condition in card.suite.conditions)
    assert card.twin == ("tr_none_nc", zoo.load("tr_none_nc", "digits", 10).card.sha256)
    assert card.data.n == 70
    assert card.measurements[0].correct > 60


def test_the_twin_is_measured_and_compared(card: ResultCard) -> None:
    assert card.twin_card is not None
    assert card.twin_card.model.name == "tr_none_nc"
    assert len(card.twin_card.measurements) == len(card.measurements)
    rows = robench.compare(card, card.twin_card)
    clean = rows[0]
    right = [c.measurements[0].correct / 70 for c in (card, card.twin_card)]
    assert (clean.condition, clean.first.value, clean.second.value) == ("clean", *right)
    assert clean.difference.value == pytest.approx(right[0] - right[1])
    assert all(row.p <= row.p_holm <= 1 for row in rows)


def test_a_module_gives_what_its_name_gives(card: ResultCard) -> None:
    module = robench.load_model("tr_none_c", dataset="digits")
    other = robench.evaluate(module, twin="none", conditions="corruption/*", **SMALL)
    chosen = [m for m in card.measurements if m.condition.kind == "corruption"]
    assert [m.correct for m in other.measurements] == [m.correct for m in chosen]


def killed_run(store: Path, after: int) -> None:
    request = Request((QUICKEST,), twin="none", **SMALL, store=store)
    with open_run(request, print) as run:
        done: list[Measurement] = []

        def stop(task: Task, measurement: Measurement) -> None:
            done.append(measurement)
            if len(done) == after:
                raise KeyboardInterrupt

        run.measure(run.pending(), done=stop)


def test_a_run_that_is_killed_five_times_gives_the_same_card(tmp_path: Path) -> None:
    whole = robench.evaluate(QUICKEST, twin="none", **SMALL)
    store = tmp_path / "s.sqlite"
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            killed_run(store, after=2)
    request = Request((QUICKEST,), twin="none", **SMALL, store=store)
    with open_run(request, print) as run:
        assert len(run.work) - len(run.pending()) == 10
        run.measure(run.pending())
        assert same(run.card(run.requested[0]), whole)
        assert run.pending() == []


def test_twins_and_several_models_share_one_run() -> None:
    with open_run(Request(("twn_resnet20", "fp_resnet20"), **SMALL), print) as run:
        assert [subject.card.name for subject in run.models] == ["twn_resnet20", "fp_resnet20"]
        assert run.twins == {run.requested[0]: run.requested[1]}


def test_a_twin_that_models_share_is_measured_once() -> None:
    with open_run(Request(("twn_resnet20", "bc_resnet20", "twn_resnet20"), **SMALL), print) as run:
        assert [s.card.name for s in run.models] == ["twn_resnet20", "bc_resnet20", "fp_resnet20"]


def test_without_cifar10_auto_falls_back_to_digits_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*args: object) -> Dataset:
        if args[0] == "cifar10":
            raise NotHereError("CIFAR-10 is not here.")
        return original(*args)

    original = choose.load
    monkeypatch.setattr(choose, "load", nowhere)
    notices: list[str] = []
    with open_run(Request(("twn_resnet20",), suite="quick"), notices.append) as run:
        assert run.data.name == "digits"
        assert {subject.card.dataset for subject in run.models} == {"digits"}
    assert notices == ["CIFAR-10 is not here. Going on with digits and its models of the same names."]


class Wrong(torch.nn.Module):
    def __init__(self, shape: tuple[int, ...], value: float = 0.0) -> None:
        super().__init__()
        self.shape, self.value = shape, value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), *self.shape), self.value)


class Returns(torch.nn.Module):
    """A network whose forward pass returns something of its logits."""

    def __init__(self, what: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.fc, self.what = torch.nn.Linear(3 * 32 * 32, 10), what

    def forward(self, x: torch.Tensor) -> object:
        return self.what(self.fc(x.flatten(1)))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Wrong((5,)), r"gives \[64, 5\] for images \[64, 3, 32, 32\]; logits must be \[64, 10\]"),
        (Wrong((10, 1)), "logits must be"),
        (Wrong((10,), float("nan")), "logits that are not finite"),
        (torch.nn.Linear(7, 10), "fails on images"),
        (Returns(lambda logits: {"guess": logits.argmax(1), "loss": 0}), "it returns a dict of guess and loss; let it"),
        (Returns(lambda logits: (logits, logits)), "it returns a tuple; let it return its logits alone"),
    ],
)
def test_a_model_that_does_not_fit_is_one_sentence(model: torch.nn.Module, sentence: str, digits: Dataset) -> None:
    with pytest.raises(RobenchError, match=sentence):
        prepare(from_module(model, "mine"), digits, torch.device("cpu"))
    with pytest.raises(RobenchError, match=sentence):
        robench.evaluate(model, "digits", "quick", conditions="clean", n_images=64)


def test_logits_in_a_dictionary_are_measured_as_logits_alone() -> None:
    torch.manual_seed(0)
    plain = Returns(lambda logits: logits)
    other = Returns(lambda logits: {"loss": 0.0, "logits": logits})
    other.load_state_dict(plain.state_dict())
    cards = robench.evaluate([plain, other], "digits", "quick", n_images=32, name=["plain", "other"])
    assert [m.correct for m in cards[0].measurements] == [m.correct for m in cards[1].measurements]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (lambda x: x, "not a function: give the module that it returns"),
        (torch.nn.Flatten, "not the class Flatten: give an instance of it"),
        ({"weight": torch.ones(1)}, "not a dict: load it into its module, or save it"),
        (3, "not int"),
    ],
)
def test_what_is_no_model_is_one_sentence(model: object, sentence: str) -> None:
    for given in ({"model": model}, {"model": "tr_none_c", "twin": model}):
        with pytest.raises(RobenchError, match=f"a model is a name or a torch.nn.Module .* {sentence}"):
            robench.evaluate(**given, **SMALL)


def test_a_model_in_half_precision_is_measured_in_float32_and_that_is_said() -> None:
    notices: list[str] = []
    model = Returns(lambda logits: logits).half()
    request = Request((model,), "digits", "quick", conditions="clean", n_images=8, names=("mine",))
    with open_run(request, notices.append) as run:
        (tested,) = run.models
        assert {parameter.dtype for parameter in tested.original.parameters()} == {torch.float32}
    assert notices == ["mine: its parameters are float16; they are measured in float32."]
    assert model.fc.weight.dtype == torch.float16


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_images": 5000}, "has 1000 images"),
        ({"suite": "quik"}, "did you mean quick"),
        ({"conditions": "atack/*"}, "no condition of quick matches"),
        ({"device": "tpu"}, "choose auto, cpu or cuda"),
        ({"twin": "fp_resnet99"}, "did you mean fp_resnet20"),
        ({"dataset": "digit"}, "did you mean digits"),
    ],
)
def test_bad_input_is_one_sentence(change: dict, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        robench.evaluate("twn_resnet20", **SMALL | change)


def test_a_negative_epsilon_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    text = 'name = "x"\nversion = 1\nn_images = 5\nseed = 0\n[[conditions]]\nkind = "clean"\nnames = ["clean"]\n'
    (tmp_path / "x.toml").write_text(text + '[[conditions]]\nkind = "attack"\nnames = ["pgd"]\nlevels = ["-1/255"]\n')
    with pytest.raises(RobenchError, match="must be a number from 0 to 1"):
        robench.evaluate("twn_resnet20", "digits", str(tmp_path / "x.toml"), store=tmp_path / "s.sqlite")
    assert not (tmp_path / "s.sqlite").exists()


def test_every_register_is_at_the_top() -> None:
    for room in ("architectures", "attacks", "corruptions", "data", "distortions", "quantizers"):
        assert callable(getattr(robench, room).register)
    assert {"evaluate", "load_model", "attacks"} < set(dir(robench))


def test_auto_takes_the_models_own_data_set() -> None:
    assert zoo.benchmarks("digits/twn_resnet20") == ["digits"]
    assert zoo.benchmarks(str(zoo.root() / "digits" / "twn_resnet20")) == ["digits"]
    assert "cifar10" in zoo.benchmarks("twn_resnet20")


class Changed(torch.nn.Module):
    """A zoo model whose code, not its weights, decides what it says of one image."""

    def __init__(self, image: int) -> None:
        super().__init__()
        self.inner, self.image = robench.load_model("fp_resnet20", dataset="digits"), image

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.inner(x)
        return torch.where((torch.arange(len(x)) == self.image)[:, None], -logits, logits)


@pytest.mark.parametrize("image", [0, 9, 63])
def test_a_change_of_code_alone_makes_another_model(image: int, digits: Dataset) -> None:
    before, after = (prepare(from_module(Changed(i), "mine"), digits, torch.device("cpu")) for i in (-1, image))
    assert before.fingerprint != after.fingerprint


def test_another_models_measurements_are_never_taken(digits: Dataset) -> None:
    subjects = [
        prepare(zoo.load(name, "digits", 10), digits, torch.device("cpu")) for name in ("fp_resnet20", "bc_resnet20")
    ]
    assert subjects[0].fingerprint != subjects[1].fingerprint
    assert isinstance(subjects[0].original, Blocked)


def test_a_run_without_early_stopping_is_kept_apart(digits: Dataset) -> None:
    early, never = (
        prepare(zoo.load("fp_resnet20", "digits", 10), digits, torch.device("cpu"), early_stopping=choice)
        for choice in (True, False)
    )
    assert (early.early_stopping, never.early_stopping) == (True, False)
    assert early.fingerprint != never.fingerprint


class Float32Only(torch.nn.Module):
    """Fails under bfloat16 autocast, as models with hand-written kernels do."""

    def __init__(self) -> None:
        super().__init__()
        self.model = zoo.load("alexnet_none_c", "digits", 10).module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.isfinite().all()) and torch.is_autocast_enabled("cpu"):  # depends on the data: not traced
            raise RuntimeError("not implemented for BFloat16")
        return self.model(x)


def test_a_model_that_cannot_compute_in_bfloat16_gives_gradients_in_float32(digits: Dataset) -> None:
    subject = prepare(from_module(Float32Only(), "mine"), digits, torch.device("cpu"), "bfloat16")
    assert subject.gradients is subject.exact
    usual = prepare(zoo.load("alexnet_none_c", "digits", 10), digits, torch.device("cpu"), "bfloat16")
    assert usual.gradients.slack > 0


def test_large_images_come_in_small_blocks_and_batches(digits: Dataset, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 72, 72), np.uint8)
    np.savez(tmp_path / "large.npz", x=images.transpose(0, 2, 3, 1), y=np.arange(20) % 2)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    ).eval()
    request = Request(
        (model,), f"npz:{tmp_path / 'large.npz'}", "quick", n_images=20, device="cpu", store=tmp_path / "store"
    )
    with open_run(request, print) as run:
        (subject,) = run.models
        sizes = [blocked.sizes for blocked in (subject.original, subject.exact, subject.gradients)]
        assert sizes == [(8,)] * 3
        assert {item.task.batch_size for item in run.work} == {128}
    usual = prepare(zoo.load("fp_resnet20", "digits", 10), digits, torch.device("cpu"))
    assert usual.exact.sizes == (8, 16, 32)


def test_the_callers_module_stays_as_it_is_in_mid_training() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    ).half()
    module[0].bias.requires_grad_(False)
    module.append(torch.nn.Linear(4, 10).half())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    robench.evaluate(module, twin="none", conditions="clean", **SMALL)
    assert all(part.training for part in module.modules())
    assert [p.requires_grad for p in module.parameters()] == [True, False, True, True, True, True]
    assert all(tensor.dtype == before[name].dtype for name, tensor in module.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    module.float()(torch.rand(2, 3, 8, 8)).sum().backward()
    assert module[0].weight.grad is not None


def test_a_module_that_cannot_be_copied_is_measured_but_for_its_weights() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    module.lock = threading.Lock()  # nothing copies one
    card = robench.evaluate(module, twin="none", conditions="*/gaussian", **SMALL)
    flags = {m.condition.kind: m.flags for m in card.measurements}
    assert flags["distortion"] == ("n/a: this model cannot be copied, and robench leaves its weights alone",)
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="n_image"):
        robench.evaluate("twn_resnet20", n_image=3)


def test_a_suite_may_compare_with_the_network_that_a_quantizer_has_made() -> None:
    """Bits err: float32 would be an easy rival."""
    names = ("twn_resnet20", "int8_resnet20", "fp_resnet20", "be_int8_resnet20", "tr_sign_c")
    models = tuple(f"digits/{name}" for name in names)
    request = Request(models, "digits", "robench-memory", n_images=8, conditions="clean")
    with open_run(request) as run:
        twins = {model.card.name: twin.card.name for model, twin in run.twins.items()}
    assert twins == {"twn_resnet20": "int8_resnet20", "be_int8_resnet20": "int8_resnet20"}
