"""``onnx:FILE`` as a model: torch for gradients, onnxruntime beside it."""

from pathlib import Path

import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.files import file_digest, short
from robench.core.types import ModelCard
from robench.engine.layers import count_weights
from robench.engine.loaded import NO_WEIGHTS, LoadedModel, stored_weights
from robench.formats.batches import for_any_batch
from robench.formats.onnx.graph import Graph, UnknownOperatorError
from robench.formats.onnx.read import OnnxFile, read
from robench.formats.onnx.runtime import Session
from robench.quantizers.stored import StoredWeight

TRIED = 8
"""Random images on which torch is compared with onnxruntime."""
OFF, OFF_IN_FLOAT = 0.25, 0.02
"""How far logits may be off, as a share of the largest, for the half of those images: rounding to 8 bits adds up, and
that of float16 a little."""
ROUNDING = ("Quant", "QLinear", "Integer", "Round", "Sign", "Floor", "Ceil")
"""Parts of the names of operators after which a small difference is a step."""
ONLY_THERE = "it is computed by onnxruntime alone"


def load(path: Path, name: str) -> LoadedModel:
    """An ONNX file as a model.

    It becomes a torch module, in which QuantizeLinear passes its gradient straight through, and onnxruntime stands
    beside it. A file with a step that robench does not know in torch is computed by onnxruntime alone.

    Args:
        path: of the file.
        name: of the model.

    Raises:
        RobenchError: the file is damaged, reaches beyond its folder or ONNX's operators, or takes no images.
    """
    file = read(path)
    session = _session(file)
    size = path.stat().st_size
    card = ModelCard(name, architecture="onnx")
    try:
        module, coded = _in_torch(file, session)
    except UnknownOperatorError as error:
        reason = f"{ONLY_THERE}, as robench does not know this in torch: {error}"
        return LoadedModel(
            card.with_size(0, size), session, sealed=reason, no_gradient=reason, digest=file_digest(path)
        )
    stored = stored_weights(module, coded)
    bits = max((weight.bits for weight in coded.values()), default=32)
    card = ModelCard(name, architecture="onnx", quantizer="qdq" if coded else "fp", bits=bits)
    card = card.with_size(count_weights(module), size)
    return LoadedModel(
        card, module, stored, runtime=session, sealed="" if stored else NO_WEIGHTS, digest=file_digest(path)
    )


def _session(file: OnnxFile) -> Session:
    try:
        return Session(file)
    except RobenchError:
        raise
    except Exception as error:  # onnxruntime's own kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"onnxruntime cannot load {short(file.path)}: {short(reason)}") from error


def _in_torch(file: OnnxFile, session: Session) -> tuple[nn.Module, dict[str, StoredWeight]]:
    """The torch module, and the weights that are stored as codes, by state-dict name.

    Raises:
        UnknownOperatorError: there is a step that is not known, or torch's answers are not onnxruntime's.
    """
    try:
        graph = Graph(file)
        module: nn.Module = graph.build().eval().requires_grad_(False)
        shape = file.image_shape
        prefix = ""
        if all(shape[1:]):
            if shape[0]:
                whole = module
                module = for_any_batch(module, shape)
                prefix = "" if module is whole else "model."
            rounds = any(part in node.op_type for node in file.model.graph.node for part in ROUNDING)
            _compare(module, session, shape, OFF if rounds else OFF_IN_FLOAT)
    except UnknownOperatorError:
        raise
    except Exception as error:  # a form of an operator that the functions here do not take
        raise UnknownOperatorError(f"{type(error).__name__}: {short(error)}") from error
    return module, {f"{prefix}{name}": weight for name, weight in graph.layers.stored.items()}


def _are_shares(scores: torch.Tensor) -> bool:
    """Whether each row adds up to 1, as a softmax' does."""
    return torch.allclose(scores.sum(1), torch.ones(len(scores)), atol=1e-3) and bool((scores >= 0).all())


def _compare(module: nn.Module, session: Session, shape: tuple[int, ...], allowed: float) -> None:
    x = torch.rand(TRIED, *shape[1:], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = module(x), session(x)
    if ours.shape != theirs.shape:
        raise UnknownOperatorError(f"torch gives {list(ours.shape)} where onnxruntime gives {list(theirs.shape)}")
    # A last softmax is left out in torch, so that scores are compared by their softmax.
    if _are_shares(theirs) and not _are_shares(ours):
        ours = ours.softmax(1)
    off = (ours - theirs).abs().amax(1) / theirs.abs().amax(1).clamp(min=1e-12)
    if not bool(off.median() <= allowed):
        raise UnknownOperatorError(f"torch's answers are off onnxruntime's by {float(off.median()):.0%}")
