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
