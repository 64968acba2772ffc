"""From an ONNX graph to a torch graph: weights in modules, quantization with straight-through gradients."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from operator import getitem
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from robench.engine.tracing import Opaque
from robench.formats.layers import Layers, batch_norm, convolution, linear, named_after
from robench.formats.onnx.operators import OPERATORS, TYPES, padded
from robench.formats.onnx.read import OnnxFile
from robench.formats.quantization import Dequantize, Quantize, stored_codes
from robench.quantizers.stored import StoredWeight

RANGES = {2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767), 6: (-(2**31), 2**31 - 1)}
RANGES |= {21: (0, 15), 22: (-8, 7), 25: (0, 3), 26: (-2, 1)}
"""ONNX's integer types -> their range."""
LISTED = 64
"""Integers of a constant that is handed to an operator as a list, at most: axes and shapes."""
FLOAT = torch.float32
HEADS = ("Softmax", "LogSoftmax")
"""Last steps that change no guess, and whose gradient vanishes where the model is sure."""


class UnknownOperatorError(Exception):
    """The graph has a step that robench cannot compute in torch; onnxruntime may."""


@dataclass(frozen=True, eq=False)
class Codes:
    """The integers behind a constant.

    Attributes:
        values: of any shape.
        scale, zero: of the whole, or of each slice along ``axis``.
        kind: ONNX's number of their type.
    """

    values: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor
    axis: int
    kind: int

    def stored(self) -> StoredWeight | None:
        """The stored weight that they are; None for such as robench has no name for."""
        low, high = RANGES[self.kind]
        along_filters = self.scale.numel() == 1 or self.axis % self.values.dim() == 0
        bits = (high - low).bit_length()
        return stored_codes(self.values, (self.scale, self.zero), bits, signed=low < 0) if along_filters else None


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that is known before there is an image.

    Attributes:
        value: floats as float32, integers as they are.
        name: of the initializer that it comes from.
        kind: ONNX's number of its type, where that is an integer one.
        codes: what it was decoded from.
    """

    value: torch.Tensor
    name: str = ""
    kind: int = 0
    codes: Codes | None = None

    @property
    def turned(self) -> "Constant":
        """A matrix with rows as columns, and its codes with it."""
        codes = self.codes and replace(self.codes, values=self.codes.values.t(), axis=1 - self.codes.axis % 2)
        return replace(self, value=self.value.t(), codes=codes)

    @property
    def stored(self) -> StoredWeight | None:
        """The stored weight that it is; None for floats."""
        return self.codes.stored() if self.codes else None


Value = Constant | fx.Node | None


@dataclass(frozen=True, eq=False)
class Node:
    """One node of an ONNX graph.

    Attributes:
        kind: its operator.
        name: unique in most files.
        inputs: their values, in order.
        rank: dimensions of the first input; 0 where they are not known.
        attributes: by name.
    """

    kind: str
    name: str
    inputs: list[Value]
    rank: int
    attributes: dict[str, Any]

    def input(self, place: int) -> Value:
        """An input; None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None


class Step(Opaque):
    """One operator with its attributes; tensors are its inputs."""

    def __init__(self, function: Callable[..., Any], attributes: dict[str, Any]) -> None:
        super().__init__()
        self.function = function
        self.attributes = attributes

    def forward(self, *inputs: Any) -> Any:
        """What the operator gives."""
        return self.function(*inputs, **self.attributes)


class Graph:
    """A torch graph in the making.

    Args:
        file: a checked ONNX file.

    Attributes:
        layers: its modules, and the stored weights among them.
    """

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self.layers = Layers()
        self.graph = fx.Graph()
        self.values: dict[str, Value] = {"": None}
        self.ranks = _ranks(file.model)

    def build(self) -> fx.GraphModule:
        """The finished module: pixels [N, C, H, W] -> logits.

        Raises:
            UnknownOperatorError: it has a step that is not known here.
        """
        source = self.file.model.graph
        for initializer in source.initializer:
            self.values[initializer.name] = constant(initializer)
        image = self.graph.placeholder("x")
        if self.file.channels_come_last:
            image = self.call("channels_last", Step(OPERATORS["Transpose"], {"perm": [0, 2, 3, 1]}), image)
        self.values[self.file.name] = image
        result = source.output[0].name
        for node in _in_order(source.node, self.values):
            if node.op_type in HEADS and list(node.output) == [result]:
                self.values[result] = self.values[node.input[0]]
            else:
                self._add(node)
        self.graph.output(self.handed(self.values[result]))
        return fx.GraphModule(self.layers.root, self.graph)

    def call(self, name: str, module: nn.Module, *inputs: Any, stored: StoredWeight | None = None) -> fx.Node:
        """A call of a module under a name."""
        return self.graph.call_module(self.layers.add(module, name, stored), inputs)

    def handed(self, value: Value) -> Any:
        """What an operator is handed: a node, a short list of integers, or a constant that the module keeps."""
        if not isinstance(value, Constant):
            return value
        whole = not value.value.is_floating_point() and value.value.dtype != torch.bool
        if whole and value.value.dim() <= 1 and value.value.numel() <= LISTED:
            return value.value.tolist()
        # Counted with those that are used twice, or the next constant would take a name that is there.
        count = sum(1 for _ in self.layers.root.named_buffers(recurse=False, remove_duplicate=False))
        name = f"constant_{count}"
        self.layers.root.register_buffer(name, value.value)
        return self.graph.get_attr(name)

    def _add(self, proto: Any) -> None:
        if proto.domain not in ("", "ai.onnx") and proto.op_type not in QUANTIZING:
            raise UnknownOperatorError(f"{proto.op_type} of {proto.domain}")
        node = Node(
            proto.op_type,
            proto.name or f"{proto.op_type}_{len(self.graph.nodes)}",
            [self.values[name] for name in proto.input],
            self.ranks.get(proto.input[0], 0) if proto.input else 0,
            {attribute.name: _attribute(attribute) for attribute in proto.attribute},
        )
        build = LAYERS.get(node.kind)
        result: Any = build(self, node) if build is not None else None
        if result is None:
            result = self._general(node)
        for place, output in enumerate(proto.output):
            if isinstance(result, tuple):
                self.values[output] = result[place]
            elif node.kind == "Split":
                self.values[output] = self.graph.call_function(getitem, (result, place))
            else:
                self.values[output] = result if place == 0 else None

    def _general(self, node: Node) -> Any:
        """A step that is computed now where all of its inputs are constant, else a module."""
        if node.kind not in OPERATORS:
            raise UnknownOperatorError(node.kind)
        step = Step(OPERATORS[node.kind], node.attributes)
        if not any(isinstance(value, fx.Node) for value in node.inputs):
            result = step(*(value.value if isinstance(value, Constant) else None for value in node.inputs))
            return tuple(map(Constant, result)) if isinstance(result, tuple) else Constant(result)
        return self.call(node.name, step, *map(self.handed, node.inputs))


def _in_order(nodes: Iterable[Any], known: Iterable[str]) -> Iterator[Any]:
    """The nodes, each after those whose values it takes; a file may have them in any order."""
    waiting, there = list(nodes), set(known)
    while waiting:
        ready = [node for node in waiting if all(name in there for name in node.input)]
        if not ready:
            raise UnknownOperatorError("a step whose input no other step gives")
        for node in ready:
            there.update(node.output)
            yield node
        done = {id(node) for node in ready}
        waiting = [node for node in waiting if id(node) not in done]


def constant(initializer: Any) -> Constant:
    """An ``onnx.TensorProto`` as a constant."""
    from onnx import numpy_helper

    kind = initializer.data_type
    value = _tensor(numpy_helper.to_array(initializer))
    return Constant(value, initializer.name, kind if kind in RANGES else 0)


def _tensor(array: Any) -> torch.Tensor:
    """Floats of any width in float32; integers of any width in a type that holds them."""
    kind = str(array.dtype)
    if kind in ("bool", "int8", "uint8", "int16", "int32", "int64"):
        return torch.from_numpy(np.array(array))
    if kind in ("uint16", "uint32", "uint64"):
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind in "OSU":
        raise UnknownOperatorError("text")
    return torch.from_numpy(array.astype(np.int8 if kind.startswith(("int", "uint")) else np.float32))


def _attribute(attribute: Any) -> Any:
    """Of a node: a number, text, list or tensor."""
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return constant(value).value
    if isinstance(value, onnx.GraphProto):
        raise UnknownOperatorError("a graph inside of the graph (If, Loop or Scan)")
    return value if isinstance(value, int | float | str) else list(value)


def _ranks(model: Any) -> dict[str, int]:
    """Dimensions of the values for which they are known."""
    found = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    return {value.name: len(value.type.tensor_type.shape.dim) for value in found if value.type.HasField("tensor_type")}


def _constant(graph: Graph, node: Node) -> Value:
    ((key, value),) = node.attributes.items()
    return Constant(value if key == "value" else torch.tensor(value, dtype=FLOAT if "float" in key else torch.int64))


def _conv(graph: Graph, node: Node) -> Value:
    weight, bias = node.input(1), node.input(2)
    if not isinstance(weight, Constant) or isinstance(bias, fx.Node):
        raise UnknownOperatorError("Conv with a computed weight")
    kernel = list(weight.value.shape[2:])
    dims = len(kernel)
    strides, dilations = (node.attributes.get(key, [1] * dims) for key in ("strides", "dilations"))
    pads, auto = node.attributes.get("pads", [0] * 2 * dims), node.attributes.get("auto_pad", "NOTSET")
    even = not auto.startswith("SAME") and pads[:dims] == pads[dims:]
    image = graph.handed(node.input(0))
    if not even:
        settings = {"kernel": kernel, "strides": strides, "dilations": dilations, "auto": auto, "pads": pads}
        image = graph.call(f"{node.name}_margin", Step(padded, settings), image)
    margin = pads[:dims] if even else [0] * dims
    shift = bias.value if bias is not None else None
    layer = convolution(weight.value, shift, strides, margin, dilations, node.attributes.get("group", 1))
    return graph.call(named_after(weight.name, node.name), layer, image, stored=weight.stored)


def _gemm(graph: Graph, node: Node) -> Value:
    weight, bias = node.input(1), node.input(2)
    settings = tuple(node.attributes.get(key, default) for key, default in (("alpha", 1), ("beta", 1), ("transA", 0)))
    if settings != (1, 1, 0) or not isinstance(weight, Constant) or isinstance(bias, fx.Node):
        return None
    weight = weight if node.attributes.get("transB", 0) else weight.turned
    shift = bias.value.reshape(-1).expand(len(weight.value)) if bias is not None else None
    layer = linear(weight.value, shift)
    name = named_after(weight.name, node.name)
    return graph.call(name, layer, graph.handed(node.input(0)), stored=weight.stored)


def _matmul(graph: Graph, node: Node) -> Value:
    x, weight = node.inputs
    if not isinstance(weight, Constant) or weight.value.dim() != 2 or not isinstance(x, fx.Node):
        return None
    weight = weight.turned
    return graph.call(named_after(weight.name, node.name), linear(weight.value, None), x, stored=weight.stored)


def _transpose(graph: Graph, node: Node) -> Value:
    """Of a constant matrix, with its codes."""
    x = node.input(0)
    turns = node.attributes.get("perm", [1, 0]) == [1, 0]
    return x.turned if isinstance(x, Constant) and x.value.dim() == 2 and turns else None


def _batch_norm(graph: Graph, node: Node) -> Value:
    x, *parameters = node.inputs
    known = [value for value in parameters if isinstance(value, Constant)]
    if len(known) != 4 or node.rank != 4:
        return None
    scale, shift, mean, variance = (value.value for value in known)
    layer = batch_norm(scale, shift, mean, variance, node.attributes.get("epsilon", 1e-5))
    return graph.call(named_after(known[0].name, node.name), layer, x)


def _affine(node: Node) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Scale, zero point and axis of a step to or from codes."""
    scale, zero = node.input(1), node.input(2)
    if not isinstance(scale, Constant) or isinstance(zero, fx.Node):
        raise UnknownOperatorError(f"{node.kind} with a scale that is computed from the image")
    values = scale.value.float()
    return values, zero.value.float() if zero else torch.zeros_like(values), int(node.attributes.get("axis", 1))


def _quantize(graph: Graph, node: Node) -> Value:
    x, zero = node.input(0), node.input(2)
    kind = zero.kind if isinstance(zero, Constant) else node.attributes.get("output_dtype", 0) or 2
    if kind not in RANGES or node.attributes.get("block_size", 0):
        raise UnknownOperatorError("QuantizeLinear to floats, or in blocks")
    scale, point, axis = _affine(node)
    module = Quantize(scale, point, *RANGES[kind], axis)
    if isinstance(x, Constant):
        return Constant(module(x.value).to(torch.int32), x.name, kind)
    return graph.call(node.name, module, x)


def _dequantize(graph: Graph, node: Node) -> Value:
    x, point = node.input(0), node.input(2)
    scale, zero, axis = _affine(node)
    block = int(node.attributes.get("block_size", 0))
    if isinstance(x, Constant):
        if block:
            scale, zero = (part.repeat_interleave(block, axis)[: x.value.shape[axis]] for part in (scale, zero))
            return Constant((x.value.float() - zero) * scale, x.name)
        kind = x.kind or (point.kind if isinstance(point, Constant) else 0)
        codes = Codes(x.value, scale, zero, axis, kind) if kind in RANGES and x.value.dim() > 1 else None
        return Constant(Dequantize(scale, zero, axis)(x.value), x.name, codes=codes)
    if block:
        raise UnknownOperatorError("DequantizeLinear in blocks")
    return graph.call(node.name, Dequantize(scale, zero, axis), x)


def _hard(graph: Graph, node: Node) -> Value:
    if not all(isinstance(value, fx.Node) or _is_float(value) for value in node.inputs):
        return None
    found = any(isinstance(value, fx.Node) for value in node.inputs)
    return graph.graph.call_function(HARD[node.kind], tuple(map(graph.handed, node.inputs))) if found else None


def _is_float(value: Value) -> bool:
    return isinstance(value, Constant) and value.value.is_floating_point()


def _cast(graph: Graph, node: Node) -> Value:
    """To floats, of what may be a comparison."""
    x = node.input(0)
    floats = TYPES.get(int(node.attributes.get("to", 1)), torch.int64).is_floating_point
    return graph.graph.call_method("float", (x,)) if floats and isinstance(x, fx.Node) else None


QUANTIZING = ("QuantizeLinear", "DequantizeLinear")
HARD: dict[str, Callable[..., Any]] = {
    "Ceil": torch.ceil,
    "Floor": torch.floor,
    "Round": torch.round,
    "Sign": torch.sign,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Where": torch.where,
}
"""Steps whose own gradient is zero: as functions of torch in the graph, they are found and passed straight through."""
LAYERS: dict[str, Callable[[Graph, Node], Value]] = {
    **dict.fromkeys(HARD, _hard),
    "Cast": _cast,
    "BatchNormalization": _batch_norm,
    "Constant": _constant,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "QuantizeLinear": _quantize,
    "Transpose": _transpose,
}
"""Operator -> what builds a module for it; None where it is an operator like others."""
