"""Models in files of their own: the same network gives the same counts, and what ships is what is judged."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import robench
from robench.core.errors import RobenchError
from robench.core.types import Measurement, ResultCard
from robench.data.base import Dataset
from robench.engine.verdict import to_pixels
from robench.formats import from_any, load_file
from robench.suites.one_line import suite_of

SUITE = """
name = "small"
version = 1
n_images = 32
seed = 0
[[conditions]]
kind = "clean"
names = ["clean"]
[[conditions]]
kind = "corruption"
names = ["gaussian"]
levels = [5]
[[conditions]]
kind = "attack"
names = ["fgsm"]
levels = ["16/255"]
[[conditions]]
kind = "attack"
names = ["pgd"]
levels = ["16/255"]
params = { steps = 8 }
[[conditions]]
kind = "attack"
names = ["square"]
levels = ["16/255"]
params = { queries = 8 }
[[conditions]]
kind = "distortion"
names = ["gaussian"]
levels = [0.2]
[[conditions]]
kind = "fault"
names = ["bit_error"]
levels = [0.01]
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE)
    return str(path)


def measured(card: ResultCard) -> dict[str, Measurement]:
    return {m.condition.name if m.condition.kind != "distortion" else "weights": m for m in card.measurements}


def evaluate(model: object, suite: str, conditions: str = "*", **settings: object) -> dict[str, Measurement]:
    settings = {"twin": "none", "gradients": "float32"} | settings
    return measured(robench.evaluate(model, "digits", suite, conditions=conditions, **settings))


@pytest.fixture(scope="module")
def factory_counts(network: torch.nn.Module, suite: str) -> dict[str, Measurement]:
    return evaluate(network, suite)


def test_torchscript_gives_the_counts_of_the_module(
    scripted: Path, suite: str, factory_counts: dict[str, Measurement]
) -> None:
    found = evaluate(f"torchscript:{scripted}", suite)
    for name in ("clean", "gaussian", "fgsm", "pgd", "square"):
        assert abs(found[name].correct - factory_counts[name].correct) <= 1, name
    assert found["weights"].flags == ("n/a: the weights of a TorchScript program are out of reach",)
    assert found["bit_error"].total == 0


@pytest.mark.parametrize("form", ["exported", "program", "float_onnx"])
def test_graphs_give_the_counts_of_the_module_and_hold_its_weights(
    form: str, request: pytest.FixtureRequest, suite: str, factory_counts: dict[str, Measurement]
) -> None:
    if form == "program":  # as a factory gives it
        model: object = torch.export.load(request.getfixturevalue("exported")).module()
    else:
        model = f"{'pt2' if form == 'exported' else 'onnx'}:{request.getfixturevalue(form)}"
    found = evaluate(model, suite)
    for name in ("clean", "gaussian", "fgsm", "pgd", "square"):
        assert abs(found[name].correct - factory_counts[name].correct) <= 1, name
    assert found["weights"].total == found["bit_error"].total == 32
    assert found["pgd"].correct < found["clean"].correct  # else the test shows nothing


class FewLevels(torch.nn.Module):
    """Activations of four levels or two, with a straight-through backward, which no format keeps."""

    def __init__(self, step: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.step = step
        self.conv1, self.conv2 = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Conv2d(8, 8, 3, 2)
        self.fc = torch.nn.Linear(8 * 7 * 7, 10)

    def hard(self, x: torch.Tensor) -> torch.Tensor:
        if self.step == "round":
            return (3 * x.clamp(0, 1)).round() / 3
        return x.sign() if self.step == "sign" else torch.where(x >= 0, 1.0, -1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        soft = self.conv1(x - 0.5)
        slope = soft.clamp(0, 1) if self.step == "round" else soft.clamp(-1, 1)
        return self.fc(self.conv2(self.hard(soft).detach() + (slope - slope.detach())).flatten(1))


class WithoutBackward(FewLevels):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv2(self.hard(self.conv1(x - 0.5))).flatten(1))


@pytest.mark.parametrize("step", ["round", "sign", "where"])
def test_steps_without_a_gradient_are_passed_straight_through_in_every_format(step: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    module, plain, x = FewLevels(step).eval(), WithoutBackward(step).eval(), torch.rand(2, 3, 32, 32)
    batch = {"x": {0: torch.export.Dim("n", min=1, max=4096)}}
    torch.export.save(torch.export.export(plain, (x,), dynamic_shapes=batch), tmp_path / "m.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}, "opset_version": 17, "dynamo": False}
        torch.onnx.export(plain, (x,), tmp_path / "m.onnx", **settings)
    suite = suite_of({"attack": ["pgd@8/255,steps=5"]})
    images = (255 * torch.rand(32, 3, 32, 32)).byte()
    data = (images, module(images.float() / 255).argmax(1))
    models = [module, f"pt2:{tmp_path / 'm.pt2'}", f"onnx:{tmp_path / 'm.onnx'}"]
    counts = [
        robench.evaluate(m, data, suite, twin="none", gradients="float32").measurements[1].correct for m in models
    ]
    assert counts[0] < 32
    assert max(counts) - min(counts) <= 1


def test_the_integers_of_a_qdq_file_are_the_stored_weights(int8_onnx: Path) -> None:
    import onnx
    from onnx import numpy_helper

    loaded = load_file(f"onnx:{int8_onnx}")
    arrays = {t.name: numpy_helper.to_array(t) for t in onnx.load(int8_onnx).graph.initializer}
    codes = [a for name, a in arrays.items() if name.endswith("_quantized") and a.dtype == np.int8 and a.ndim > 1]
    assert len(codes) == len(loaded.stored) == 20
    for array, stored in zip(codes, sorted_like(codes, loaded.stored), strict=True):
        assert np.array_equal(array, stored.values.numpy())
    weights = loaded.module.state_dict()
    assert all(torch.equal(stored.weight(), weights[name]) for name, stored in loaded.stored.items())
    assert loaded.card.bits == 8


def test_the_steps_of_a_qdq_file_are_flagged_as_surrogates(int8_onnx: Path, float_onnx: Path, suite: str) -> None:
    quantized, plain = (evaluate(f"onnx:{path}", suite, "attack/fgsm")["fgsm"] for path in (int8_onnx, float_onnx))
    assert any(flag.startswith("surrogate gradients") for flag in quantized.flags)
    assert not any("unpredictable" in flag for flag in quantized.flags)
    assert not any("surrogate" in flag for flag in plain.flags)


def sorted_like(codes: list[np.ndarray], stored: dict) -> list:
    """For each array the stored weight that is nearest to it."""
    same = [[w for w in stored.values() if tuple(w.values.shape) == array.shape] for array in codes]
    return [
        min(found, key=lambda w, a=array: int((w.values.numpy() != a).sum()))
        for array, found in zip(codes, same, strict=True)
    ]


def test_torch_and_onnxruntime_guess_the_same_on_int8(int8_onnx: Path, digits: Dataset) -> None:
    loaded = load_file(f"onnx:{int8_onnx}")
    assert loaded.runtime is not None
    x = to_pixels(digits.images[:128], torch.device("cpu"))
    noisy = (x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    for images in (x, noisy):
        differ = loaded.module(images).argmax(1) != loaded.runtime(images).argmax(1)
        assert int(differ.sum()) <= 2


def test_gradients_of_int8_are_the_runtimes_and_beat_transferred_ones(
    int8_onnx: Path, float_onnx: Path, suite: str
) -> None:
    """PGD on the INT8 file, judged by onnxruntime, against images that were made on the float file."""
    own = evaluate(f"onnx:{int8_onnx}", suite, "attack/pgd", verdicts="runtime")
    loaded = load_file(f"onnx:{int8_onnx}")
    assert loaded.runtime is not None
    shipped = replace(loaded, module=loaded.runtime, runtime=None, stored={}, sealed="it is a session")
    lent = evaluate(shipped, suite, "attack/pgd", twin=f"onnx:{float_onnx}")
    assert own["pgd"].correct <= lent["pgd"].correct
    assert own["pgd"].correct < 24
    assert lent["pgd"].flags[0].startswith("transferred: ")
    assert f"made on its twin onnx:{float_onnx}" in lent["pgd"].flags[0]


def test_the_runtime_is_written_into_the_card(int8_onnx: Path, suite: str) -> None:
    shipped = robench.evaluate(f"onnx:{int8_onnx}", "digits", suite, verdicts="runtime", twin="none", conditions="c*")
    weights = evaluate(f"onnx:{int8_onnx}", suite, "distortion/*", verdicts="runtime")["weights"]
    assert dict(measured(shipped)["clean"].numbers)["runtime_differs"] <= 1
    assert weights.flags[0].startswith("n/a: the verdict is that of the model's own runtime")
    assert shipped.provenance["verdicts"].startswith("onnxruntime 1.")


def test_verdicts_of_a_runtime_need_one(network: torch.nn.Module, suite: str) -> None:
    with pytest.raises(RobenchError, match=r"--verdicts runtime is for models that ship with a runtime"):
        evaluate(network, suite, verdicts="runtime")
    with pytest.raises(RobenchError, match="verdicts are torch or runtime"):
        evaluate(network, suite, verdicts="onnx")


def test_int8_torchscript_has_no_gradient_and_is_measured(int8_scripted: Path, suite: str) -> None:
    found = evaluate(f"torchscript:{int8_scripted}", suite, twin="digits/fp_resnet20")
    assert found["clean"].correct >= 31
    assert found["gaussian"].total == found["square"].total == 32
    assert found["square"].correct < found["clean"].correct
    assert found["fgsm"].flags[0].startswith("transferred: the model passes no gradient to its input")
    alone = evaluate(f"torchscript:{int8_scripted}", suite, "attack/fgsm")
    assert alone["fgsm"].total == 0
    assert alone["fgsm"].flags == ("n/a: the model passes no gradient to its input",)


def test_a_file_for_one_image_takes_many(network: torch.nn.Module, training: torch.Tensor, tmp_path: Path) -> None:
    class Fixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(3 * 32 * 32, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x.reshape(1, -1))  # as exporters write a flatten

    model = Fixed().eval()
    torch.export.save(torch.export.export(model, (training[:1],)), tmp_path / "one.pt2")
    loaded = load_file(f"pt2:{tmp_path / 'one.pt2'}")
    expected = torch.cat([model(image[None]) for image in training[:5]])
    torch.testing.assert_close(loaded.module(training[:5]), expected)
    assert all(name in loaded.module.state_dict() for name in loaded.stored)


def test_pt2e_in_a_file_and_in_python_round_straight_through(training: torch.Tensor, tmp_path: Path) -> None:
    pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e")
    x86 = pytest.importorskip("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(3600, 10),
    ).eval()
    shapes = ({0: torch.export.Dim("n")},)
    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = pt2e.prepare_pt2e(torch.export.export(model, (training[:2],), dynamic_shapes=shapes).module(), quantizer)
    prepared(training)
    int8 = pt2e.convert_pt2e(prepared)
    torch.export.save(torch.export.export(int8, (training[:2],), dynamic_shapes=shapes), tmp_path / "int8.pt2")
    x = training[:8].clone().requires_grad_()
    (smooth,) = torch.autograd.grad(model(x).square().sum(), x)
    for loaded in (load_file(f"pt2:{tmp_path / 'int8.pt2'}"), from_any(int8, "int8")):
        torch.testing.assert_close(loaded.module(x), int8(x), rtol=1e-4, atol=1e-4)
        (gradient,) = torch.autograd.grad(loaded.module(x).square().sum(), x)
        assert torch.cosine_similarity(gradient.flatten(), smooth.flatten(), 0) > 0.9
        assert [weight.bits for weight in loaded.stored.values()] == [8, 8]
        state = loaded.module.state_dict()
        assert all(torch.equal(weight.weight(), state[name]) for name, weight in loaded.stored.items())


@pytest.mark.parametrize(("name", "meant"), [("a/small.onnx", "onnx:"), ("b.pt2", "pt2:"), ("c.ts", "torchscript:")])
def test_a_bare_file_is_told_how_it_is_named(name: str, meant: str, suite: str) -> None:
    with pytest.raises(RobenchError, match=f"a file is named with its format: {meant}{name}"):
        evaluate(name, suite)
