"""An ONNX file as data: read and checked before any runtime sees it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.optional import import_optional

DOMAINS = ("", "ai.onnx", "com.microsoft")
"""Of operators that onnxruntime itself knows."""
CHANNELS = (1, 3)
"""Of images."""
FLOATS = {1: "float32", 10: "float16"}
"""Types of an input that robench can give, by ONNX's numbers."""


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A checked file.

    Attributes:
        path: of the file.
        model: an ``onnx.ModelProto`` with all weights, and without functions of its own.
        name: of the input.
        shape: of the input: 0 where any number will do.
        dtype: of the input, float32 or float16.
    """

    path: Path
    model: Any
    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def channels_come_last(self) -> bool:
        """Whether it takes images [N, H, W, C], as files from TensorFlow do."""
        return self.shape[3] in CHANNELS and self.shape[1] not in CHANNELS

    @property
    def image_shape(self) -> tuple[int, ...]:
        """[N, C, H, W]."""
        n, *rest = self.shape
        return (n, rest[2], *rest[:2]) if self.channels_come_last else self.shape


def read(path: Path) -> OnnxFile:
    """Read an ONNX file.

    Raises:
        RobenchError: it is damaged, asks for operators of a library's own or for files elsewhere, or takes something
            else than images.
    """
    onnx = import_optional("onnx")
    _ = import_optional("onnxruntime")
    try:
        model = onnx.load(str(path), load_external_data=False)
        _check_weights(model, path)
        onnx.external_data_helper.load_external_data_for_model(model, str(path.resolve().parent))
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except RobenchError:
        raise
    except Exception as error:  # protobuf's, onnx's and the file system's own kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"{short(path)} is no ONNX file that can be read: {short(reason)}.") from error
    _check_operators(model, path)
    return OnnxFile(path, _with_shapes(model), *_input(model, path))


def _check_weights(model: Any, path: Path) -> None:
    """Raise RobenchError where weights are said to lie elsewhere than in the file's own folder."""
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    folder = path.resolve().parent
    for tensor in _get_all_tensors(model):
        if uses_external_data(tensor):
            where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            file = folder / where
            if not where or Path(where).is_absolute() or folder not in file.resolve().parents:
                raise RobenchError(f"{short(path)} asks for weights outside of its folder ({short(where)}).")
            if not file.is_file():
                raise RobenchError(f"{short(path)} needs the file {short(where)} beside it, which is not there.")


def _check_operators(model: Any, path: Path) -> None:
    for node in _nodes(model.graph):
        if node.domain not in DOMAINS:
            raise RobenchError(
                f"{short(path)} needs the operator {short(node.op_type)} of {short(node.domain)}, which comes in a "
                "library of its own; robench loads none. Export the model with ONNX's own operators."
            )


def _nodes(graph: Any) -> list[Any]:
    """The nodes of a graph, and of the graphs inside of them."""
    found = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else []:
                found += _nodes(inner)
    return found


def _with_shapes(model: Any) -> Any:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001 (shapes are a help, and no condition)
        return model


def _input(model: Any, path: Path) -> tuple[str, tuple[int, ...], str]:
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "nothing"
        raise RobenchError(f"{short(path)} takes {short(names)}; robench gives one tensor of images.")
    kind = inputs[0].type.tensor_type
    shape = tuple(int(dim.dim_value) for dim in kind.shape.dim)
    if kind.elem_type not in FLOATS or len(shape) != 4:
        raise RobenchError(
            f"{short(path)} takes a tensor of type {kind.elem_type} and {len(shape)} dimensions; robench gives float "
            "images [N, C, H, W] in [0, 1]. Put what comes before the network into the file."
        )
    return inputs[0].name, shape, FLOATS[kind.elem_type]
