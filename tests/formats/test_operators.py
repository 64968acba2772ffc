"""Each operator in torch against onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robench.formats.onnx.graph import Graph
from robench.formats.onnx.read import read
from robench.formats.onnx.runtime import Session

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CHANNELS = np.array([0.5, -1.0, 2.0], np.float32)
KERNEL = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
MATRIX = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
ROWS = [
    *(
        ("Relu", [], {}),
        ("Sigmoid", [], {}),
        ("Tanh", [], {}),
        ("Erf", [], {}),
        ("Softplus", [], {}),
        ("Round", [], {}),
    ),
    *(("LeakyRelu", [], {"alpha": 0.2}), ("Elu", [], {}), ("Selu", [], {}), ("HardSwish", [], {})),
    *(("HardSigmoid", [], {}), ("Gelu", [], {}), ("Celu", [], {"alpha": 0.5}), ("Mish", [], {}), ("Sign", [], {})),
    ("PRelu", [CHANNELS.reshape(3, 1, 1)], {}),
    ("Clip", [np.float32(-0.2), np.float32(0.3)], {}),
    *(("Add", [CHANNELS.reshape(3, 1, 1)], {}), ("Div", [np.float32(0.3)], {}), ("Pow", [np.float32(2)], {})),
    ("Conv", [KERNEL], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("Conv", [KERNEL], {"pads": [0, 1, 1, 0]}),
    ("Conv", [KERNEL], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", [KERNEL], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", [KERNEL[:3, :1]], {"group": 3}),
    ("MatMul", [MATRIX], {}),
    ("BatchNormalization", [CHANNELS, CHANNELS, CHANNELS, CHANNELS**2], {"epsilon": 1e-3}),
    ("InstanceNormalization", [CHANNELS, CHANNELS], {}),
    ("LayerNormalization", [MATRIX[:, 0]], {"axis": -1}),
    ("LRN", [], {"size": 3}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 0, 0, 1]}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    *(("GlobalAveragePool", [], {}), ("GlobalMaxPool", [], {})),
    ("ReduceMean", [np.array([2, 3])], {"keepdims": 0}),
    ("ReduceL2", [np.array([-1])], {}),
    *(("ReduceMax", [np.array([1])], {}), ("ReduceSum", [], {}), ("ReduceProd", [np.array([3])], {})),
    *(("Softmax", [], {"axis": 1}), ("LogSoftmax", [], {"axis": -1})),
    *(("Flatten", [], {}), ("Transpose", [], {"perm": [0, 2, 3, 1]})),
    ("Reshape", [np.array([0, -1, 2])], {}),
    *(("Unsqueeze", [np.array([1, -1])], {}), ("Expand", [np.array([1, 3, 6, 6])], {})),
    ("Slice", [np.array([1, -1]), np.array([2**62, -(2**62)]), np.array([1, 3]), np.array([1, -2])], {}),
    ("Gather", [np.array([[0, -1]])], {"axis": 2}),
    ("Pad", [np.array([0, 0, 1, 2, 0, 0, 3, 0]), np.float32(0.5)], {}),
    ("Pad", [np.array([1, 2, 3, 0]), None, np.array([2, 3])], {"mode": "reflect"}),
    ("Tile", [np.array([1, 1, 2, 1])], {}),
    *(("DepthToSpace", [], {"blocksize": 1}), ("SpaceToDepth", [], {"blocksize": 2})),
    ("Resize", [None, np.array([1, 1, 2, 2], np.float32)], {"mode": "nearest"}),
    ("Resize", [None, None, np.array([1, 3, 9, 4])], {"mode": "linear"}),
    ("QuantizeLinear+DequantizeLinear", [np.float32(0.02), np.uint8(100)], {}),
    ("QuantizeLinear+DequantizeLinear", [np.abs(CHANNELS) / 50, np.zeros(3, np.int8)], {"axis": 1}),
]


def file_of(kinds: str, inputs: list[Any], attributes: dict[str, Any], path: Path) -> Path:
    """x -> the operators one after the other, with the same constant inputs; the result is flattened to [N, M]."""
    helper = onnx.helper
    constants = [onnx.numpy_helper.from_array(np.asarray(a), f"c{i}") for i, a in enumerate(inputs) if a is not None]
    names = [f"c{i}" if a is not None else "" for i, a in enumerate(inputs)]
    nodes, last = [], "x"
    for place, kind in enumerate(kinds.split("+")):
        nodes.append(helper.make_node(kind, [last, *names], [f"y{place}"], **attributes))
        last = f"y{place}"
    nodes.append(helper.make_node("Identity", [last], ["y"]))
    values = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in (("x", [1, 3, 6, 6]), ("y", None))
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


@pytest.mark.parametrize(("kinds", "inputs", "attributes"), ROWS, ids=[f"{i}-{row[0]}" for i, row in enumerate(ROWS)])
def test_torch_computes_what_onnxruntime_computes(
    kinds: str, inputs: list[Any], attributes: dict[str, Any], tmp_path: Path
) -> None:
    file = read(file_of(kinds, inputs, attributes, tmp_path / "m.onnx"))
    x = 2 * torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0)) - 1
    torch.testing.assert_close(Graph(file).build()(x), Session(file)(x), rtol=1e-4, atol=1e-5)


def graph_of(nodes: list[Any], constants: dict[str, Any], path: Path) -> Path:
    helper = onnx.helper
    values = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", 3, *rest])
        for n, rest in (("x", [6, 6]), ("y", []))
    ]
    held = [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


MEAN = {"axes": [2, 3], "keepdims": 0}


def test_a_constant_that_is_used_twice_keeps_its_name_to_itself(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("Add", ["x", "a"], ["t1"]),
        make("Mul", ["t1", "a"], ["t2"]),
        make("Add", ["t2", "b"], ["t3"]),
        make("ReduceMean", ["t3"], ["y"], **MEAN),
    ]
    x = torch.rand(2, 3, 6, 6)
    for order in (nodes, nodes[::-1]):  # a file may have its nodes in any order
        file = read(graph_of(order, {"a": np.float32(1), "b": np.float32(1.2)}, tmp_path / "m.onnx"))
        torch.testing.assert_close(Graph(file).build()(x), x.mean((2, 3)) + 2.2)


def test_the_size_of_a_batch_by_a_scalar_index(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("Shape", ["x"], ["shape"]),
        make("Gather", ["shape", "zero"], ["n"]),
        make("Unsqueeze", ["n", "axes"], ["first"]),
        make("Concat", ["first", "rest"], ["target"], axis=0),
        make("Reshape", ["x", "target"], ["flat"]),
        make("ReduceMean", ["flat"], ["y"], axes=[2], keepdims=0),
    ]
    constants = {"zero": np.int64(0), "axes": np.array([0]), "rest": np.array([3, -1])}
    file = read(graph_of(nodes, constants, tmp_path / "m.onnx"))
    x = torch.rand(2, 3, 6, 6)
    torch.testing.assert_close(Graph(file).build()(x), x.mean((2, 3)))


@pytest.mark.parametrize(
    "attributes",
    [
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"},
        {"mode": "nearest", "nearest_mode": "floor"},
        {"mode": "linear", "antialias": 1},
        {"mode": "cubic"},
    ],
)
def test_a_resize_that_torch_does_otherwise_is_refused(attributes: dict[str, Any], tmp_path: Path) -> None:
    path = file_of("Resize", [None, np.array([1, 1, 1.5, 1.5], np.float32)], attributes, tmp_path / "m.onnx")
    with pytest.raises(NotImplementedError, match="Resize"):
        Graph(read(path)).build()(torch.rand(1, 3, 6, 6))


def test_rounding_to_codes_passes_its_gradient_within_the_range(tmp_path: Path) -> None:
    kinds = "QuantizeLinear+DequantizeLinear"
    module = Graph(read(file_of(kinds, [np.float32(0.01), np.int8(0)], {}, tmp_path / "m.onnx"))).build()
    x = torch.zeros(1, 3, 6, 6)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 5.0, -5.0  # beyond 1.27 and -1.28
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    assert gradient.flatten()[:2].tolist() == [0, 0]
    torch.testing.assert_close(gradient.flatten()[2:], torch.ones(3 * 6 * 6 - 2))


def test_an_unknown_operator_leaves_the_model_to_onnxruntime(tmp_path: Path) -> None:
    from robench.formats import load_file

    path = file_of("Hardmax", [], {"axis": -1}, tmp_path / "m.onnx")
    loaded = load_file(f"onnx:{path}")
    assert isinstance(loaded.module, Session)
    assert loaded.no_gradient == loaded.sealed != ""
    assert "does not know this in torch: Hardmax" in loaded.no_gradient
