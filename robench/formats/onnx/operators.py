"""ONNX's operators as functions of torch: inputs are positional, attributes have ONNX's names.

Semantics: https://onnx.ai/onnx/operators. An input that is a constant list of integers (axes, shapes) arrives as a
list of int, others as tensors; one that is left out as None.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)

Ints = list[int] | int | torch.Tensor
Operator = Callable[..., Any]
OPERATORS: dict[str, Operator] = {}
"""Name -> function; convolutions, linear layers and quantization are built as modules elsewhere."""

TYPES = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool}
TYPES |= {10: torch.float16, 11: torch.float64, 12: torch.int32, 13: torch.int64, 16: torch.bfloat16}
"""ONNX's numbers of types; floats of any width are computed in float32."""


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Decorator: a function that computes the named operators."""

    def add(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return add


def ints(value: Ints | None) -> list[int]:
    """Integers, however they arrive."""
    if value is None:
        return []
    if isinstance(value, torch.Tensor):
        return [int(item) for item in value.reshape(-1).tolist()]
    return [value] if isinstance(value, int) else list(value)


def tensor(value: Any, like: torch.Tensor | None = None) -> torch.Tensor:
    """A tensor, however it arrives; on the device of another."""
    return torch.as_tensor(value, device=like.device if like is not None else None)


ELEMENTWISE: dict[str, Operator] = {
    "Abs": torch.abs,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": F.hardswish,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tanh": torch.tanh,
}
BINARY: dict[str, Operator] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "Pow": torch.pow,
    "PRelu": lambda x, slope: torch.where(x < 0, slope * x, x),
    "Sub": torch.sub,
    "Xor": torch.logical_xor,
}


class _Binary:
    """An operator on two tensors, which may arrive as lists."""

    def __init__(self, function: Operator) -> None:
        self.function = function

    def __call__(self, a: Any, b: Any) -> torch.Tensor:
        a, b = _together(a, b)
        result: torch.Tensor = self.function(a, b)
        return result


def _together(*values: Any) -> list[torch.Tensor]:
    """Tensors on one device: that of the first that is not on the CPU."""
    made = [tensor(value) for value in values]
    device = next((t.device for t in made if t.device.type != "cpu"), torch.device("cpu"))
    return [t.to(device) for t in made]


OPERATORS |= ELEMENTWISE | {name: _Binary(function) for name, function in BINARY.items()}


@operator("Div")
def div(a: Any, b: Any) -> torch.Tensor:
    """Of integers towards zero, as in C."""
    a, b = _together(a, b)
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


@operator("Mod")
def mod(a: Any, b: Any, *, fmod: int = 0) -> torch.Tensor:
    """With the sign of the divisor, or of the dividend (fmod)."""
    a, b = _together(a, b)
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


@operator("Identity", "Dropout")
def identity(x: Any, *others: Any, **_: Any) -> Any:
    """Dropout is the identity after training."""
    return x


@operator("Sum")
def add_all(*values: Any) -> torch.Tensor:
    """Elementwise."""
    return reduce(torch.add, _together(*values))


@operator("Mean")
def mean_of_all(*values: Any) -> torch.Tensor:
    """Elementwise."""
    return add_all(*values) / len(values)


@operator("Max")
def largest(*values: Any) -> torch.Tensor:
    """Elementwise."""
    return reduce(torch.maximum, _together(*values))


@operator("Min")
def smallest(*values: Any) -> torch.Tensor:
    """Elementwise."""
    return reduce(torch.minimum, _together(*values))


@operator("Clip")
def clip(x: torch.Tensor, min: Any = None, max: Any = None) -> torch.Tensor:  # noqa: A002 (ONNX's names)
    """Bounds are numbers or tensors of one number."""
    low, high = (None if bound is None else tensor(bound, x).to(x.dtype).reshape(()) for bound in (min, max))
    if low is None and high is None:
        return x
    return torch.clamp(x, low, high)


@operator("LeakyRelu")
def leaky_relu(x: torch.Tensor, *, alpha: float = 0.01) -> torch.Tensor:
    """alpha x below 0."""
    return F.leaky_relu(x, alpha)


@operator("Elu")
def elu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """alpha (e^x - 1) below 0."""
    return F.elu(x, alpha)


@operator("Celu")
def celu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """alpha (e^(x / alpha) - 1) below 0."""
    return F.celu(x, alpha)


@operator("Selu")
def selu(
    x: torch.Tensor, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.0507010221481323
) -> torch.Tensor:
    """gamma alpha (e^x - 1) below 0, gamma x above."""
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


@operator("HardSigmoid")
def hard_sigmoid(x: torch.Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> torch.Tensor:
    """alpha x + beta in [0, 1]."""
    return (alpha * x + beta).clamp(0, 1)


@operator("ThresholdedRelu")
def thresholded_relu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """x above alpha, else 0."""
    return F.threshold(x, alpha, 0)


@operator("Gelu")
def gelu(x: torch.Tensor, *, approximate: str = "none") -> torch.Tensor:
    """Exact, or by tanh."""
    return F.gelu(x, approximate=approximate)


@operator("Where")
def where(condition: Any, a: Any, b: Any) -> torch.Tensor:
    """Elementwise."""
    condition, a, b = _together(condition, a, b)
    return torch.where(condition, a, b)


@operator("Cast", "CastLike")
def cast(x: Any, like: torch.Tensor | None = None, *, to: int = 1, **_: Any) -> torch.Tensor:
    """To another type; floats of any width stay or become float32."""
    x = tensor(x)
    dtype = like.dtype if like is not None else TYPES[to]
    return x.to(torch.float32 if dtype.is_floating_point else dtype)


# Products


@operator("MatMul")
def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """As NumPy's."""
    return torch.matmul(a, b)


@operator("Gemm")
def gemm(
    a: torch.Tensor,
    b: torch.Tensor,
    c: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 (ONNX's names)
    transB: int = 0,  # noqa: N803
) -> torch.Tensor:
    """alpha a b + beta c."""
    product = alpha * ((a.t() if transA else a) @ (b.t() if transB else b))
    return product if c is None else product + beta * tensor(c, product)


@operator("Einsum")
def einsum(*operands: torch.Tensor, equation: str = "") -> torch.Tensor:
    """Einstein's sums."""
    return torch.einsum(equation, *operands)


# Normalisation


@operator("BatchNormalization")
def batch_norm(
    x: torch.Tensor,
    scale: torch.Tensor,
    shift: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    *,
    epsilon: float = 1e-5,
    **_: Any,
) -> torch.Tensor:
    """With running statistics."""
    return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, epsilon)


@operator("InstanceNormalization")
def instance_norm(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, *, epsilon: float = 1e-5) -> torch.Tensor:
    """Of each image and channel."""
    return F.instance_norm(x, weight=scale, bias=shift, eps=epsilon)


@operator("LayerNormalization")
def layer_norm(
    x: torch.Tensor, scale: torch.Tensor, shift: Any = None, *, axis: int = -1, epsilon: float = 1e-5, **_: Any
) -> torch.Tensor:
    """Over all axes from ``axis`` on."""
    return F.layer_norm(x, x.shape[axis:], scale.expand(x.shape[axis:]), shift, epsilon)


@operator("GroupNormalization")
def group_norm(
    x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, *, num_groups: int, epsilon: float = 1e-5, **_: Any
) -> torch.Tensor:
    """Scale and shift for each channel (opset 21) or each group (18)."""
    each = x.shape[1] // len(scale)
    return F.group_norm(x, num_groups, scale.repeat_interleave(each), shift.repeat_interleave(each), epsilon)


@operator("LRN")
def lrn(x: torch.Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> torch.Tensor:
    """Local response normalisation."""
    return F.local_response_norm(x, size, alpha, beta, bias)


@operator("Softmax")
def softmax(x: torch.Tensor, *, axis: int = -1) -> torch.Tensor:
    """Along an axis."""
    return torch.softmax(x, axis)


@operator("LogSoftmax")
def log_softmax(x: torch.Tensor, *, axis: int = -1) -> torch.Tensor:
    """Along an axis."""
    return torch.log_softmax(x, axis)


# Pooling


def padded(
    x: torch.Tensor,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    auto: str,
    pads: Sequence[int],
    value: float = 0.0,
) -> torch.Tensor:
    """Images with the margins that ONNX's ``pads`` or ``auto_pad`` ask for."""
    dims = len(kernel)
    if auto.startswith("SAME"):
        begins, ends = [], []
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
            total = max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
            small, large = total // 2, total - total // 2
            begins.append(small if auto == "SAME_UPPER" else large)
            ends.append(large if auto == "SAME_UPPER" else small)
        pads = begins + ends
    if not any(pads):
        return x
    pairs = [(pads[axis], pads[axis + dims]) for axis in reversed(range(dims))]
    return F.pad(x, [side for pair in pairs for side in pair], value=value)


MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOLS: dict[int, Operator] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


@operator("MaxPool")
def max_pool(
    x: torch.Tensor,
    *,
    kernel_shape: list[int],
    strides: list[int] | None = None,
    pads: list[int] | None = None,
    dilations: list[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
) -> torch.Tensor:
    """The first output; indices are not given."""
    dims = len(kernel_shape)
    strides, dilations, pads = strides or [1] * dims, dilations or [1] * dims, pads or [0] * 2 * dims
    if ceil_mode and pads[:dims] != pads[dims:]:
        raise NotImplementedError("MaxPool with ceil_mode and uneven margins")
    x = padded(x, kernel_shape, strides, dilations, auto_pad, pads, -math.inf)
    return MAX_POOLS[dims](x, kernel_shape, strides, 0, dilations, bool(ceil_mode))


@operator("AveragePool")
def average_pool(
    x: torch.Tensor,
    *,
    kernel_shape: list[int],
    strides: list[int] | None = None,
    pads: list[int] | None = None,
    dilations: list[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> torch.Tensor:
    """Margins count only where ``count_include_pad`` says so."""
    dims = len(kernel_shape)
    strides, ones, pads = strides or [1] * dims, [1] * dims, pads or [0] * 2 * dims
    if any(size > 1 for size in dilations or []):
        raise NotImplementedError("AveragePool with dilations")
    pool = AVERAGE_POOLS[dims]
    wide = padded(x, kernel_shape, strides, ones, auto_pad, pads)
    mean: torch.Tensor = pool(wide, kernel_shape, strides, ceil_mode=bool(ceil_mode))
    if count_include_pad or wide is x:
        return mean
    inside = padded(torch.ones_like(x), kernel_shape, strides, ones, auto_pad, pads)
    return mean / pool(inside, kernel_shape, strides, ceil_mode=bool(ceil_mode))


@operator("GlobalAveragePool")
def global_average_pool(x: torch.Tensor) -> torch.Tensor:
    """[N, C, 1, ...]."""
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(x: torch.Tensor) -> torch.Tensor:
    """[N, C, 1, ...]."""
    return x.amax(tuple(range(2, x.dim())), keepdim=True)


# Reductions

REDUCTIONS: dict[str, Operator] = {
    "ReduceL1": lambda x, dim, keepdim: x.abs().sum(dim, keepdim),
    "ReduceL2": lambda x, dim, keepdim: x.square().sum(dim, keepdim).sqrt(),
    "ReduceMax": torch.amax,
    "ReduceMean": torch.mean,
    "ReduceMin": torch.amin,
    "ReduceSum": torch.sum,
    "ReduceSumSquare": lambda x, dim, keepdim: x.square().sum(dim, keepdim),
}


class _Reduction:
    """Over some axes, or all; they are an input or, in older files, an attribute."""

    def __init__(self, function: Operator) -> None:
        self.function = function

    def __call__(
        self, x: Any, axes: Ints | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> torch.Tensor:
        x, chosen = tensor(x), ints(axes)
        if not chosen and noop_with_empty_axes:
            if self.function in (torch.amax, torch.mean, torch.amin, torch.sum):
                return x
            raise NotImplementedError("a reduction over no axes")
        result: torch.Tensor = self.function(x, dim=tuple(chosen or range(x.dim())), keepdim=bool(keepdims))
        return result


OPERATORS |= {name: _Reduction(function) for name, function in REDUCTIONS.items()}


@operator("ReduceProd")
def product(x: Any, axes: Ints | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> torch.Tensor:
    """Over some axes, or all."""
    x = tensor(x)
    if noop_with_empty_axes and not ints(axes):
        return x
    for axis in sorted((axis % x.dim() for axis in ints(axes) or range(x.dim())), reverse=True):
        x = x.prod(axis, keepdim=bool(keepdims))
    return x


@operator("ArgMax")
def argmax(x: torch.Tensor, *, axis: int = 0, keepdims: int = 1, **_: Any) -> torch.Tensor:
    """The first of the largest."""
    return x.argmax(axis, keepdim=bool(keepdims))


# Shapes


@operator("Shape")
def shape(x: Any, *, start: int = 0, end: int | None = None) -> torch.Tensor:
    """int64, on the CPU."""
    return torch.tensor(tensor(x).shape[start:end])


@operator("Size")
def size(x: Any) -> torch.Tensor:
    """int64, on the CPU."""
    return torch.tensor(tensor(x).numel())


@operator("Reshape")
def reshape(x: Any, shape: Ints, *, allowzero: int = 0) -> torch.Tensor:
    """0 keeps the size that an axis has."""
    x, wanted = tensor(x), ints(shape)
    return x.reshape([x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(wanted)])


@operator("Flatten")
def flatten(x: torch.Tensor, *, axis: int = 1) -> torch.Tensor:
    """To two dimensions."""
    return x.reshape(math.prod(x.shape[: axis % x.dim() if axis < 0 else axis]), -1)


@operator("Transpose")
def transpose(x: torch.Tensor, *, perm: list[int] | None = None) -> torch.Tensor:
    """All axes reversed unless ``perm`` says otherwise."""
    return x.permute(perm or list(reversed(range(x.dim()))))


@operator("Squeeze")
def squeeze(x: Any, axes: Ints | None = None) -> torch.Tensor:
    """The axes that are given, or all of size 1."""
    x = tensor(x)
    return x.squeeze(tuple(ints(axes))) if axes is not None else x.squeeze()


@operator("Unsqueeze")
def unsqueeze(x: Any, axes: Ints) -> torch.Tensor:
    """Axes count in the result."""
    x = tensor(x)
    dims = x.dim() + len(ints(axes))
    for axis in sorted(axis % dims for axis in ints(axes)):
        x = x.unsqueeze(axis)
    return x


@operator("Concat")
def concat(*parts: Any, axis: int = 0) -> torch.Tensor:
    """Along an axis."""
    return torch.cat(_together(*parts), axis)


@operator("Split")
def split(
    x: torch.Tensor, split: Ints | None = None, *, axis: int = 0, num_outputs: int = 0
) -> tuple[torch.Tensor, ...]:
    """In parts of given sizes, or equal ones, the last of which may be smaller."""
    if split is not None:
        return torch.split(x, ints(split), axis)
    return torch.split(x, math.ceil(x.shape[axis] / num_outputs), axis)


@operator("Slice")
def slice_(x: Any, starts: Ints, ends: Ints, axes: Ints | None = None, steps: Ints | None = None) -> torch.Tensor:
    """Backwards, too."""
    x = tensor(x)
    begin = ints(starts)
    where, by = ints(axes) or list(range(len(begin))), ints(steps) or [1] * len(begin)
    for start, end, axis, step in zip(begin, ints(ends), where, by, strict=True):
        chosen = range(x.shape[axis])[slice(start, end, step)]
        if step == 1:
            x = x.narrow(axis, chosen.start, len(chosen))
        else:
            x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64, device=x.device))
    return x


@operator("Gather")
def gather(x: Any, indices: Any, *, axis: int = 0) -> torch.Tensor:
    """Slices of x at some indices of an axis."""
    x = tensor(x)
    chosen = tensor(indices, x).long()
    chosen = torch.where(chosen < 0, chosen + x.shape[axis], chosen)
    flat = x.index_select(axis, chosen.reshape(-1))
    axis %= x.dim()
    return flat.reshape((*x.shape[:axis], *chosen.shape, *x.shape[axis + 1 :]))


@operator("Expand")
def expand(x: Any, shape: Ints) -> torch.Tensor:
    """Broadcast to a shape, or beyond it where x is larger."""
    x = tensor(x)
    return x.expand(torch.broadcast_shapes(x.shape, tuple(ints(shape))))


@operator("Tile")
def tile(x: Any, repeats: Ints) -> torch.Tensor:
    """So many times along each axis."""
    return tensor(x).repeat(ints(repeats))


@operator("Pad")
def pad(
    x: torch.Tensor, pads: Ints, value: Any = None, axes: Ints | None = None, *, mode: str = "constant"
) -> torch.Tensor:
    """Margins, first all that begin an axis, then all that end one."""
    margins, which = ints(pads), [axis % x.dim() for axis in ints(axes)] or list(range(x.dim()))
    sides = dict(zip(which, zip(margins[: len(which)], margins[len(which) :], strict=True), strict=True))
    last = max((axis for axis, pair in sides.items() if any(pair)), default=None)
    if last is None:
        return x
    first = min(axis for axis, pair in sides.items() if any(pair))
    flat = [side for axis in reversed(range(first, x.dim())) for side in sides.get(axis, (0, 0))]
    kind = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[mode]
    if kind == "constant":
        return F.pad(x, flat, value=0.0 if value is None else float(tensor(value)))
    return F.pad(x, flat, mode=kind)


@operator("ConstantOfShape")
def filled(shape: Ints, *, value: torch.Tensor | None = None) -> torch.Tensor:
    """A tensor of one value, 0 unless it is given."""
    one = torch.zeros(1) if value is None else value
    return one.reshape(-1)[:1].expand(ints(shape) or [1]).reshape(ints(shape)).clone()


@operator("Range")
def range_(start: Any, limit: Any, delta: Any) -> torch.Tensor:
    """Numbers in equal steps."""
    values = [tensor(value).reshape(()) for value in (start, limit, delta)]
    return torch.arange(*(value.item() for value in values), dtype=values[0].dtype)


@operator("DepthToSpace")
def depth_to_space(x: torch.Tensor, *, blocksize: int, mode: str = "DCR") -> torch.Tensor:
    """Channels into pixels."""
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    small = x.reshape(n, blocksize, blocksize, c // blocksize**2, h, w)
    return small.permute(0, 3, 4, 1, 5, 2).reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


@operator("SpaceToDepth")
def space_to_depth(x: torch.Tensor, *, blocksize: int) -> torch.Tensor:
    """Pixels into channels."""
    n, c, h, w = x.shape
    small = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    return small.permute(0, 3, 5, 1, 2, 4).reshape(n, c * blocksize**2, h // blocksize, w // blocksize)


@operator("Resize", "Upsample")
def resize(
    x: torch.Tensor,
    roi: Any = None,
    scales: Any = None,
    sizes: Ints | None = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    antialias: int = 0,
    **_: Any,
) -> torch.Tensor:
    """Nearest and linear in two dimensions, wherever torch takes the same pixels as ONNX."""
    if scales is None and sizes is None:  # before opset 11 there was no roi, scales came second, and 0 was at 0
        scales, coordinate_transformation_mode, nearest_mode = roi, "asymmetric", "floor"
    old, by = list(x.shape[2:]), [] if sizes is not None else [float(scale) for scale in tensor(scales).tolist()[2:]]
    target = ints(sizes)[2:] or [int(n * scale) for n, scale in zip(old, by, strict=True)]
    if (
        mode == "nearest"
        and not antialias
        and _nearest_is_torchs(old, target, coordinate_transformation_mode, nearest_mode)
    ):
        return F.interpolate(x, target, mode="nearest")
    if mode == "linear" and not antialias and coordinate_transformation_mode == "align_corners":
        return F.interpolate(x, target, mode="bilinear", align_corners=True)
    if mode == "linear" and not antialias and coordinate_transformation_mode in ("half_pixel", "pytorch_half_pixel"):
        how: dict[str, Any] = {"scale_factor": by, "recompute_scale_factor": False} if by else {"size": target}
        return F.interpolate(x, mode="bilinear", align_corners=False, **how)
    raise NotImplementedError(f"Resize, {mode}, {coordinate_transformation_mode}, {nearest_mode}")


def _nearest_is_torchs(old: list[int], new: list[int], coordinates: str, rounding: str) -> bool:
    """Whether ONNX takes the pixels that torch takes: floor(i old / new)."""
    factors = [n // o if n % o == 0 else 0 for o, n in zip(old, new, strict=True)]
    if coordinates == "asymmetric":
        return rounding == "floor" or (rounding == "round_prefer_floor" and all(f in (1, 2) for f in factors))
    return coordinates in ("half_pixel", "pytorch_half_pixel") and rounding.startswith("round") and all(factors)
