"""From a loaded model to one under test: on its device, tried on images, in the forms that verdicts and attacks use."""

import math
from dataclasses import replace

import torch

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.data.base import Dataset
from robench.data.labels import SHIFTED
from robench.engine.blocked import Blocked, settled
from robench.engine.folding import agrees, fold_batch_norm
from robench.engine.foreign import gradient_obstacle, prepared
from robench.engine.gradients import choose_gradients
from robench.engine.identity import fingerprint
from robench.engine.loaded import LoadedModel
from robench.engine.model import ModelUnderTest
from robench.engine.precision import BFloat16, choose_precision
from robench.engine.verdict import to_pixels

PROBE = 64
"""Images on which a model is tried: a block on a CPU, and so no more work than one image."""
AGREEMENT = 0.9
"""Share of the probe on which a bfloat16 copy must guess what the model guesses, to give gradients in its place."""
BLOCKS = (8, 16, 32)
"""Images in a block where each core computes one."""
LARGE = 64 * 64
"""Pixels of an image; more of them keep a core busy in small blocks, and memory is what is short."""
LARGE_BLOCKS = {"cpu": (8,), "cuda": (64,)}


def choose_device(name: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda``."""
    if name not in ("auto", "cpu", "cuda"):
        raise RobenchError(f"no device is named {name!r}; choose auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise RobenchError("there is no CUDA device here; use --device cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def prepare(
    loaded: LoadedModel,
    data: Dataset,
    device: torch.device,
    gradients: str = "float32",
    *,
    early_stopping: bool = True,
    verdicts: str = "torch",
) -> ModelUnderTest:
    """Put a model on its device and try it on the first images.

    Args:
        loaded: the model, whose module becomes the tested one.
        data: its first images are tried.
        device: where it computes.
        gradients: precision of the gradients that attacks take: auto, bfloat16 or float32.
        early_stopping: attacks leave images alone that they are not going to fool.
        verdicts: whose they are: torch, or ``runtime``, that which the model ships with.

    Raises:
        RobenchError: it does not take these images, its output is no [N, classes] of finite logits, or there is no such
            precision, or no runtime for the verdicts.
    """
    precision = choose_precision(gradients, device)
    sizes = LARGE_BLOCKS[device.type] if is_large(data) else None
    model = Blocked(prepared(loaded.module, device), sizes)
    x = to_pixels(data.images[:PROBE], device)
    logits = _tried(model, x, loaded.card.name, len(data.classes))
    _check_shift(logits, data, loaded.card.name)
    runtime = Blocked(loaded.runtime, sizes) if loaded.runtime is not None else None
    shipped = [_tried(runtime, x, loaded.card.name, len(data.classes))] if runtime is not None else []
    identity = fingerprint(loaded.module, loaded.digest, logits, *shipped, own=not loaded.card.test)
    card = loaded.card if loaded.card.test else replace(loaded.card, sha256=identity)
    settings = f":{precision}" + ("" if early_stopping else ":all-steps")
    exact = _folded(model, x, sizes or BLOCKS)
    first, second, plain = choose_gradients(exact, x)
    if plain and precision == "bfloat16":
        first = _in_bfloat16(exact, x)
    settings += "" if plain else ":own and straight-through"
    tested = ModelUnderTest(
        card,
        model,
        exact,
        first,
        early_stopping,
        loaded.stored,
        identity + settings,
        sealed=loaded.sealed,
        no_gradient=loaded.no_gradient or gradient_obstacle(Blocked(first.model, first.sizes[:1]), x[:1]),
        rival=runtime,
        second_gradients=second,
        random=_is_random(model, x, logits),
    )
    return _judged_by_runtime(tested, x) if verdicts == "runtime" else tested


def _judged_by_runtime(tested: ModelUnderTest, x: torch.Tensor) -> ModelUnderTest:
    """The model with verdicts of the runtime that it ships with; torch's copy gives the gradients.

    Attacks on the copy do not stop at an image that fools it by less than the two differ on images ``x``.
    """
    runtime, copy = tested.rival, tested.exact
    if hasattr(copy.model, "runtime"):  # it is computed there anyway
        return tested
    if runtime is None:
        raise RobenchError(
            f"--verdicts runtime is for models that ship with a runtime of their own (onnx:FILE); {tested.card.name} "
            "has none."
        )
    with torch.no_grad():
        shipped, own = runtime(x), copy(x)
    off = float(((shipped - own).abs().amax(1) / own.abs().amax(1).clamp(min=1e-12)).max())
    second = tested.second_gradients
    return replace(
        tested,
        exact=runtime,
        rival=copy,
        gradients=tested.gradients.with_slack(off),
        second_gradients=second.with_slack(off) if second is not None else None,
        fingerprint=f"{tested.fingerprint}:runtime",
        sealed="the verdict is that of the model's own runtime, whose weights are out of reach",
    )


def _tried(model: Blocked, x: torch.Tensor, name: str, classes: int) -> torch.Tensor:
    """The model's logits for images; RobenchError where there are none that can be judged."""
    shape = list(x.shape)
    try:
        # A model that draws random numbers draws the same ones in each run, so that a stopped run can go on.
        with torch.no_grad(), torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            torch.manual_seed(0)
            logits = model(x)
    except RobenchError:
        raise
    except (Exception, SystemExit) as error:  # its code may be the user's own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(f"{name} fails on images {shape}: {short(reason)}") from error
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        what = logits.dtype if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise RobenchError(f"{name} gives {what} for images {shape}; logits must be a tensor of floats.")
    if logits.dim() != 2 or logits.shape[1] < classes:
        raise RobenchError(
            f"{name} gives {list(logits.shape)} for images {shape}; logits must be [{len(x)}, {classes}]."
        )
    if not logits.isfinite().all():
        raise RobenchError(f"{name} gives logits that are not finite on clean images; check its weights.")
    return logits


def _check_shift(logits: torch.Tensor, data: Dataset, name: str) -> None:
    """Raise RobenchError where labels were shifted to start at 0, and the model has an output more, as if wrongly."""
    if logits.shape[1] == len(data.classes) + 1 and any(SHIFTED in note for note in data.preparation):
        raise RobenchError(
            f"{name} has {logits.shape[1]} outputs and the labels run from 1 to {len(data.classes)}: whether those "
            "count from 0 or 1 cannot be told. Write them from 0, with the names of all classes beside them (classes)."
        )


def _is_random(model: Blocked, x: torch.Tensor, logits: torch.Tensor) -> bool:
    """Whether another forward pass gives other logits; random numbers are not taken from anybody else's."""
    with torch.no_grad(), torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(1)  # the logits were drawn with 0
        return not torch.equal(model(x), logits)


def _in_bfloat16(exact: Blocked, x: torch.Tensor) -> Blocked:
    """The model in bfloat16; as it is where it fails there, or guesses otherwise on more than a few images."""
    fast = Blocked(BFloat16(exact.model), exact.sizes, exact.workers, exact)
    try:
        with torch.no_grad():
            same = (fast(x).argmax(1) == exact(x).argmax(1)).float().mean()
    except Exception:  # noqa: BLE001 (foreign code, on a type that it may not know)
        return exact
    return settled(fast, x) if same >= AGREEMENT else exact


def _folded(model: Blocked, x: torch.Tensor, sizes: tuple[int, ...]) -> Blocked:
    """Without batch norm, and on a CPU in blocks of several sizes, one on each core: see Folded."""
    folded = fold_batch_norm(model.model)
    if folded is None or not agrees(folded, model.model, x):
        return model
    if model.device.type == "cuda":
        return Blocked(folded, model.sizes)
    return settled(Blocked(folded, sizes, torch.get_num_threads()), x)


def is_large(data: Dataset) -> bool:
    """Whether the images have so many pixels that few of them are held at once."""
    return math.prod(data.images.shape[2:]) > LARGE
