"""Exported programs (torch.export): a graph of torch's operators, with its weights."""

import logging
import warnings
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from robench.core.errors import RobenchError, foreign_code
from robench.core.files import file_digest
from robench.core.types import ModelCard
from robench.engine.loaded import NO_WEIGHTS, LoadedModel, stored_weights, with_stored_size
from robench.formats import archive
from robench.formats.batches import for_any_batch
from robench.formats.layers import Layers, batch_norm, convolution, linear, named_after
from robench.formats.quantization import Dequantize, Quantize, stored_codes
from robench.quantizers.stored import StoredWeight

BITS = {torch.int8: (8, True), torch.uint8: (8, False)}
"""Type of codes -> bits, and whether they are signed."""
Weight = tuple[torch.Tensor, StoredWeight | None]


def load(path: Path, name: str) -> LoadedModel:
    """A .pt2 file as a model; the rounding of a quantized one (PT2E) passes its gradient on.

    Args:
        path: what ``torch.export.save`` wrote.
        name: of the model.

    Raises:
        RobenchError: it is damaged, would run code, or takes something else than images.
    """
    archive.check(path)
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    with foreign_code(f"loading {name}"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of how it reads the file
        # Operators of quantized programs are registered by this import.
        import torch.ao.quantization.fx._decomposed

        program = torch.export.load(str(path)).module(check_guards=False)
        loaded = from_program(program, name)
    return replace(loaded, digest=file_digest(path))


def from_program(program: fx.GraphModule, name: str) -> LoadedModel:
    """What ``ExportedProgram.module`` gives, as a module that holds its weights; the program itself stays as it is.

    Raises:
        RobenchError: it takes something else than images.
    """
    shape = _input_shape(program, name)
    layers, graph = _as_modules(program)
    module = for_any_batch(graph, shape) if shape[0] else graph
    coded = _renamed(layers.stored, module)
    stored = stored_weights(module, coded)
    bits = max((weight.bits for weight in coded.values()), default=32)
    card = ModelCard(name, architecture="pt2", quantizer="pt2e" if coded else "fp", bits=bits)
    # A file has example inputs and the program beside the numbers, so that its own size says little.
    return with_stored_size(LoadedModel(card, module, stored, sealed="" if stored else NO_WEIGHTS))


def is_program(module: nn.Module) -> bool:
    """Whether a module is what torch.export makes of one: a graph of torch's operators."""
    return isinstance(module, fx.GraphModule) and any(
        isinstance(node.target, torch._ops.OpOverload)  # noqa: SLF001 (the class has no public name)
        for node in module.graph.nodes
    )


def _renamed(stored: dict[str, StoredWeight], module: nn.Module) -> dict[str, StoredWeight]:
    """The stored weights under the names that they have in the finished module."""
    prefix = "" if isinstance(module, fx.GraphModule) else "model."
    return {f"{prefix}{name}": weight for name, weight in stored.items()}


def _input_shape(program: fx.GraphModule, name: str) -> tuple[int, ...]:
    """[N, C, H, W] of the input; 0 where any number will do."""
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"]
    if len(values) != 1 or not isinstance(values[0], torch.Tensor) or values[0].dim() != 4:
        what = ", ".join(str(list(v.shape)) if isinstance(v, torch.Tensor) else str(v) for v in values) or "nothing"
        raise RobenchError(f"{name} takes {what}; robench gives one tensor of images [N, C, H, W].")
    return tuple(size if isinstance(size, int) else 0 for size in values[0].shape)


class _Builder:
    """Copies a graph of operators, with modules where weights are used.

    Args:
        source: what ``ExportedProgram.module`` gives.
    """

    def __init__(self, source: fx.GraphModule) -> None:
        self.source = source
        self.layers = Layers()
        self.graph = fx.Graph()
        self.copies: dict[fx.Node, fx.Node] = {}

    def build(self) -> fx.GraphModule:
        """The copy."""
        for node in self.source.graph.nodes:
            if node.op == "output":
                (result,) = [out for out in torch.utils._pytree.tree_leaves(node.args) if out is not None][:1]  # noqa: SLF001
                self.graph.output(self.copy_of(result))
            elif not self._is_constant(node) and not str(node.target).startswith("_guards"):
                self.copy_of(node)
        return fx.GraphModule(self.layers.root, self.graph)

    def copy_of(self, node: fx.Node) -> fx.Node:
        """What a node of the source graph has become; constants are copied when something asks for them."""
        if node not in self.copies:
            self.copies[node] = self._copied(node)
        return self.copies[node]

    def _is_constant(self, node: fx.Node) -> bool:
        decoded = "quantized_decomposed.dequantize" in str(node.target) and self.tensor(node.args[0]) is not None
        return decoded or _is_known(node)

    def _copied(self, node: fx.Node) -> fx.Node:
        build = LAYERS.get(str(node.target)) if node.op == "call_function" else None
        layer = build(self, node) if build is not None else None
        if layer is not None:
            return layer
        if node.op == "get_attr":
            value = attrgetter(str(node.target))(self.source)
            target = f"constant_{node.name}"
            if isinstance(value, nn.Module):
                self.layers.root.add_module(target, value)
            else:
                self.layers.root.register_buffer(target, value.detach().clone())
            return self.graph.get_attr(target)
        if node.op == "call_module":
            part = self.source.get_submodule(str(node.target))
            inputs = fx.node.map_arg(node.args, self.copy_of)
            return self.graph.call_module(self.layers.add(part, str(node.target)), inputs)  # type: ignore[arg-type]
        return self.graph.node_copy(node, self.copy_of)

    def tensor(self, node: Any) -> torch.Tensor | None:
        """The constant that an argument of the source graph is; None where it is none."""
        if isinstance(node, fx.Node) and node.op == "get_attr":
            value = attrgetter(str(node.target))(self.source)
            return value.detach() if isinstance(value, torch.Tensor) else None
        return node if isinstance(node, torch.Tensor) else None

    def weight(self, node: Any) -> Weight | None:
        """A constant weight, and its codes where it is stored as such; None where it is computed."""
        value = self.tensor(node)
        if value is not None:
            return value, None
        if isinstance(node, fx.Node) and "quantized_decomposed.dequantize" in str(node.target):
            codes = self.tensor(node.args[0])
            affine = self.affine(node)
            if codes is not None and codes.dtype in BITS and affine is not None:
                scale, zero, axis = affine
                bits, signed = BITS[codes.dtype]
                stored = stored_codes(codes, (scale, zero), bits, signed=signed) if axis == 0 else None
                return Dequantize(scale, zero, axis)(codes), stored
        if isinstance(node, fx.Node) and _is_known(node):
            return self._computed(node), None
        return None

    def _computed(self, node: fx.Node) -> torch.Tensor:
        """What comes out of constants alone: a weight that a quantizer in the program makes of the latent one."""
        known = self.tensor(node)
        if known is not None:
            return known
        assert callable(node.target)
        arguments, settings = fx.node.map_arg((node.args, node.kwargs), self._computed)  # type: ignore[misc]
        with torch.no_grad():
            result: torch.Tensor = node.target(*arguments, **settings)  # type: ignore[arg-type, misc, call-arg]
        return result

    def affine(self, node: fx.Node) -> tuple[torch.Tensor, torch.Tensor, int] | None:
        """Scale, zero point and axis of a step to or from codes; None where they are computed."""
        _, scale, zero, *rest = node.args
        values = [
            torch.tensor(value) if isinstance(value, int | float) else self.tensor(value) for value in (scale, zero)
        ]
        if values[0] is None or values[1] is None:
            return None
        axis = rest[0] if "per_channel" in str(node.target) else 0
        assert isinstance(axis, int)
        return values[0], values[1], axis

    def call(self, module: nn.Module, name: str, x: Any, stored: StoredWeight | None = None) -> fx.Node:
        """A call of a module on what an argument of the source graph has become."""
        return self.graph.call_module(self.layers.add(module, name, stored), (self.copy_of(x),))


def _is_known(node: fx.Node) -> bool:
    """Whether a step has constants alone before it, and operators of torch's that give one tensor."""
    if node.op == "get_attr":
        return True
    values = node.meta.get("val")
    steps = node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload)  # noqa: SLF001
    return steps and isinstance(values, torch.Tensor) and all(map(_is_known, node.all_input_nodes))


def _as_modules(source: fx.GraphModule) -> tuple[Layers, fx.GraphModule]:
    builder = _Builder(source)
    module = builder.build()
    return builder.layers, module


def _arguments(node: fx.Node, *defaults: Any) -> list[Any]:
    """The positional arguments of a call, filled up with defaults."""
    given = list(node.args)
    return given + list(defaults[len(given) :])


def _name(node: fx.Node, weight: Any) -> str:
    return named_after(str(weight.target) if isinstance(weight, fx.Node) else "", node.name)


def _conv(builder: _Builder, node: fx.Node) -> fx.Node | None:
    x, weight, bias, stride, padding, dilation, groups = _arguments(node, *[None] * 3, [1], [0], [1], 1)
    found, shift = builder.weight(weight), builder.weight(bias)
    if found is None or (bias is not None and shift is None):
        return None
    dims = found[0].dim() - 2
    stride, dilation = (list(v) * (dims if len(v) == 1 else 1) for v in (stride, dilation))
    padding = padding if isinstance(padding, str) else list(padding) * (dims if len(padding) == 1 else 1)
    layer = convolution(found[0], shift[0] if shift else None, stride, padding, dilation, groups)
    return builder.call(layer, _name(node, weight), x, found[1])


def _linear(builder: _Builder, node: fx.Node) -> fx.Node | None:
    x, weight, bias = _arguments(node, *[None] * 3)
    found, shift = builder.weight(weight), builder.weight(bias)
    if found is None or (bias is not None and shift is None):
        return None
    return builder.call(linear(found[0], shift[0] if shift else None), _name(node, weight), x, found[1])


def _batch_norm(builder: _Builder, node: fx.Node) -> fx.Node | None:
    x, weight, bias, mean, variance, training, _, eps = _arguments(node, *[None] * 5, False, 0.1, 1e-5)[:8]
    scale, shift, mean, variance = (builder.tensor(value) for value in (weight, bias, mean, variance))
    value = x.meta.get("val")
    if training or mean is None or variance is None or not isinstance(value, torch.Tensor) or value.dim() != 4:
        return None
    return builder.call(batch_norm(scale, shift, mean, variance, eps), _name(node, weight), x)


def _quantize(builder: _Builder, node: fx.Node) -> fx.Node | None:
    affine = builder.affine(node)
    if affine is None or builder.tensor(node.args[0]) is not None:
        return None
    low, high = (int(value) for value in node.args[-3:-1])  # type: ignore[arg-type]
    return builder.call(Quantize(*affine[:2], low, high, affine[2]), node.name, node.args[0])


def _dequantize(builder: _Builder, node: fx.Node) -> fx.Node | None:
    affine = builder.affine(node)
    return builder.call(Dequantize(*affine), node.name, node.args[0]) if affine is not None else None


LAYERS = {
    "aten.conv1d.default": _conv,
    "aten.conv2d.default": _conv,
    "aten.conv2d.padding": _conv,
    "aten.conv3d.default": _conv,
    "aten.linear.default": _linear,
    "aten.batch_norm.default": _batch_norm,
    "quantized_decomposed.quantize_per_tensor.default": _quantize,
    "quantized_decomposed.quantize_per_channel.default": _quantize,
    "quantized_decomposed.dequantize_per_tensor.default": _dequantize,
    "quantized_decomposed.dequantize_per_channel.default": _dequantize,
}
"""Operator -> the module that takes its place; None where an argument is not constant."""
