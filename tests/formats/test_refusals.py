"""A file is data: nothing in it runs, and nothing outside of its folder is read."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from robench.core.errors import RobenchError
from robench.formats import load_file

Edit = Callable[[str, bytes], bytes]


class Tiny(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.pt2"
    shapes = ({0: torch.export.Dim("n")},)
    torch.export.save(torch.export.export(Tiny().eval(), (torch.rand(2, 3, 2, 2),), dynamic_shapes=shapes), path)
    return path


def edited(source: Path, target: Path, edit: Edit, extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, edit(name, old.read(name)))
        for name, content in (extra or {}).items():
            new.writestr(f"{old.namelist()[0].partition('/')[0]}/{name}", content)
    return target


def in_graph(old: str, new: str) -> Edit:
    def edit(name: str, content: bytes) -> bytes:
        assert not name.endswith("models/model.json") or old in content.decode()
        return content.replace(old.encode(), new.encode()) if name.endswith("models/model.json") else content

    return edit


def in_json(end: str, change: Callable[[Any], None]) -> Edit:
    def edit(name: str, content: bytes) -> bytes:
        if not name.endswith(end):
            return content
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return edit


def pickles(config: Any) -> None:
    for entry in config["config"].values():
        entry["use_pickle"] = True


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it ran",)


def test_the_tiny_program_loads(tiny: Path) -> None:
    assert load_file(f"pt2:{tiny}").module(torch.rand(5, 3, 2, 2)).shape == (5, 3)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (in_graph("torch.ops.aten.linear.default", "torch.hub.load"), "calls torch.hub.load"),
        (
            in_graph("torch.ops.aten.linear.default", "torch.ops.aten.from_file.default"),
            "calls torch.ops.aten.from_file",
        ),
        (in_graph("torch.ops.aten.linear.default", "_operator.methodcaller"), "calls _operator.methodcaller"),
        (in_graph("Symbol('", "__import__('os').getcwd('"), "has a size that is no formula"),
        (in_graph("builtins.tuple", "os.tuple"), "takes or gives a os.tuple"),
        (in_json("model_weights_config.json", pickles), "pickles some of its weights"),
    ],
)
def test_a_program_that_would_run_code_is_refused(edit: Edit, reason: str, tiny: Path, tmp_path: Path) -> None:
    path = edited(tiny, tmp_path / "bad.pt2", edit)
    with pytest.raises(RobenchError, match=reason):
        load_file(f"pt2:{path}")


def test_a_pickle_in_the_sample_inputs_does_not_run(tiny: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Bomb(), buffer)
    path = edited(
        tiny, tmp_path / "bad.pt2", lambda name, content: buffer.getvalue() if "sample_inputs" in name else content
    )
    with pytest.raises(RobenchError, match=r"no \.pt2 file that can be read"):
        load_file(f"pt2:{path}")


def test_compiled_code_in_a_program_is_refused(tiny: Path, tmp_path: Path) -> None:
    extra = {"data/aotinductor/model/model.so": b"\x7fELF"}
    path = edited(tiny, tmp_path / "bad.pt2", lambda name, content: content, extra)
    with pytest.raises(RobenchError, match="holds compiled code"):
        load_file(f"pt2:{path}")


@pytest.mark.parametrize("prefix", ["pt2", "torchscript", "onnx"])
def test_pickles_and_rubbish_are_one_sentence(prefix: str, tmp_path: Path) -> None:
    if prefix == "onnx":
        pytest.importorskip("onnxruntime")
    for name, content in (("a", pickle.dumps(Bomb())), ("b", b"\x08\x07\x12" * 50), ("c", b"PK\x03\x04rubbish")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RobenchError):
            load_file(f"{prefix}:{tmp_path / name}")
    torch.save({"a": torch.zeros(2)}, tmp_path / "state.pt")
    with pytest.raises(RobenchError):
        load_file(f"{prefix}:{tmp_path / 'state.pt'}")


def test_a_script_that_opens_files_is_refused(tmp_path: Path) -> None:
    class Reads(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("/etc/hostname", size=1, dtype=torch.uint8)

    torch.jit.script(Reads()).save(tmp_path / "reads.ts")
    with pytest.raises(RobenchError, match=r"calls torch\.from_file"):
        load_file(f"torchscript:{tmp_path / 'reads.ts'}")


def onnx_file(path: Path, domain: str = "", location: str = "") -> str:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    weight = helper.make_tensor("w", float_, [12, 3], [0.1] * 36)
    if location:
        weight = onnx.TensorProto(name="w", data_type=float_, dims=[12, 3], data_location=1)
        weight.external_data.add(key="location", value=location)
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul" if not domain else "Own", ["f", "w"], ["y"], domain=domain),
    ]
    values = [helper.make_tensor_value_info(n, float_, s) for n, s in (("x", ["n", 3, 2, 2]), ("y", ["n", 3]))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [weight])
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return f"onnx:{path}"


def test_operators_of_a_library_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="needs the operator Own of acme"):
        load_file(onnx_file(tmp_path / "own.onnx", domain="acme"))


@pytest.mark.parametrize("location", ["../secret.bin", "{}/secret.bin", "link.bin"])
def test_weights_outside_of_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(12 * 3 * 4))
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(RobenchError, match="asks for weights outside of its folder"):
        load_file(onnx_file(inner / "m.onnx", location=location.format(tmp_path)))


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(12 * 3 * 4))
    loaded = load_file(onnx_file(tmp_path / "m.onnx", location="w.bin"))
    assert not loaded.module(torch.rand(2, 3, 2, 2)).any()
    with pytest.raises(RobenchError, match=r"needs the file gone\.bin beside it"):
        load_file(onnx_file(tmp_path / "m.onnx", location="gone.bin"))
