"""What is asked for, and the models of a request: with their weights, their names and their twins."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.types import Suite, Value
from robench.data.base import Dataset
from robench.engine.foreign import unwrapped
from robench.engine.layout import take_contiguous
from robench.engine.loaded import LoadedModel
from robench.engine.outputs import give_logits_alone
from robench.engine.seen import with_seen_weights
from robench.engine.verdict import CPU, to_pixels
from robench.formats import from_any
from robench.quantizers import QUANTIZERS

Model = str | nn.Module | LoadedModel
LONGEST_NAME = 100
"""Signs of a name of the user's; it becomes a part of a file's name."""
SEEN = 4
"""Images with which a model's weights are seen."""


@dataclass(frozen=True)
class Request:
    """What to measure; None leaves a choice to the suite, "auto" to robench.

    Attributes:
        models: names as for ``robench.load_model``, or modules: float32 pixels in [0, 1] to logits.
        dataset: auto, a registered data set such as cifar10 or ``npz:FILE``, or an object (see ``robench.evaluate``).
        suite: a suite's name, a TOML file, or a suite (see ``robench.suites.one_line``).
        twin: a model to compare with, or "none"; "auto" is the model card's own.
        quantize: a quantizer, such as "int8": the models are measured quantized after training, each against itself;
            empty for the models as they are.
        conditions: a pattern such as ``attack/*``, or several with commas between them.
        n_images: the first so many images.
        seed: of all random numbers.
        image_size: side of the square that image files are resized and cropped to; the model's own, or as
            docs/data.md says, unless given.
        batch_size: images held at once, 1,024 (128 larger than 64x64) unless given; changes no score.
        data_dir: where CIFAR-10 is.
        checkpoints: weights for the timm models and the factories' among the models, in their order; none at all, or
            one for each.
        twin_checkpoint: weights for the twin; without a name for that, it is the model's own architecture.
        options: keyword arguments of factories, or of timm's ``create_model``.
        num_classes: that a timm model is built for; the data's unless given.
        bits: of a code of the models' own low-bit weights; 16 or 32 for floats; 0 for what is seen.
        names: for the cards, in the order of the models; none, or one for each.
        device: auto, cpu or cuda.
        gradients: precision of attack gradients: auto, bfloat16 or float32; verdicts are always in float32.
        early_stopping: attacks leave images alone that they are not going to fool.
        verdicts: torch, or runtime: that which a model ships with (onnxruntime for ``onnx:FILE``) judges each image.
        store: an SQLite file that keeps measurements; without it nothing is kept.
        trust: run code that the cards of model folders name.
        witness: a folder for what shows that images fell (see docs/proof.md); None to keep nothing.
        shard: ``2/8``, or "auto" in a job array of SLURM's: measure that part alone, into a store of its own; "" for
            everything.
    """

    models: tuple[Model, ...]
    dataset: object = "auto"
    suite: str | Suite = "robench-v1"
    twin: str = "auto"
    quantize: str = ""
    conditions: str = "*"
    n_images: int | None = None
    seed: int | None = None
    image_size: int | None = None
    batch_size: int | None = None
    data_dir: Path | None = None
    checkpoints: tuple[Path, ...] = ()
    twin_checkpoint: Path | None = None
    options: Mapping[str, Value] = field(default_factory=dict)
    num_classes: int | None = None
    bits: int = 0
    names: tuple[str, ...] = ()
    device: str = "auto"
    gradients: str = "auto"
    early_stopping: bool = True
    verdicts: str = "torch"
    store: Path | None = None
    trust: bool = False
    witness: Path | None = None
    shard: str = ""


@dataclass(frozen=True)
class Source:
    """A model that is asked for: its weights and its name on the card, where it does not bring its own."""

    model: Model
    checkpoint: Path | None = None
    name: str = ""


def check_models(request: Request) -> None:
    """Raise RobenchError where something is given as a model, or as the twin, that is none, or options for no model."""
    for model in (*request.models, request.twin):
        if isinstance(model, str | nn.Module | LoadedModel):
            continue
        kind = type(model).__name__
        if isinstance(model, type):
            what = f"the class {model.__name__}: give an instance of it"
        elif isinstance(model, Mapping):
            what = f"a {kind}: load it into its module, or save it and give the file as checkpoint="
        elif callable(model):
            what = f"a {kind}: give the module that it returns, or put it into the forward pass of one"
        else:
            what = kind
        raise RobenchError(f"a model is a name or a torch.nn.Module (several in a list), not {what}.")
    if request.options and not any(
        isinstance(m, str) and zoo.takes_checkpoint(m) for m in (*request.models, request.twin)
    ):
        given = " ".join(f"{name}={value}" for name, value in request.options.items())
        raise RobenchError(f"--option {short(given)} goes with timm:NAME or a factory, and there is none.")
    if request.num_classes and not any(
        isinstance(m, str) and m.startswith("timm:") for m in (*request.models, request.twin)
    ):
        raise RobenchError("--num-classes goes with timm:NAME, and there is none; a factory takes its own as --option.")


def sources(request: Request) -> list[Source]:
    """The models of a request, each once.

    Raises:
        RobenchError: there are more or fewer checkpoints, or names, than models for them.
    """
    takers = [index for index, model in enumerate(request.models) if _takes_checkpoint(model)]
    if request.checkpoints and len(request.checkpoints) != len(takers):
        raise RobenchError(
            f"{len(takers)} of the models take a checkpoint, and there are {len(request.checkpoints)}; give one for "
            "each timm:NAME and factory, in their order."
        )
    if request.names and len(request.names) != len(request.models):
        raise RobenchError(f"there are {len(request.models)} models and {len(request.names)} names; give each one.")
    if len(set(request.names)) < len(request.names):
        raise RobenchError("two models are given one name; give each its own.")
    if wrong := next((name for name in request.names if len(name) > LONGEST_NAME), ""):
        raise RobenchError(f"a name has at most {LONGEST_NAME} signs, and {short(wrong, 40)} has {len(wrong)}.")
    files = dict(zip(takers, request.checkpoints, strict=False))
    names = request.names or ("",) * len(request.models)
    found = [Source(m, files.get(i), name) for i, (m, name) in enumerate(zip(request.models, names, strict=True))]
    distinct = list(dict.fromkeys(found))
    first = {source.model: source for source in reversed(distinct)}
    return [source if first[source.model] is source else _beside(source) for source in distinct]


def _beside(source: Source) -> Source:
    """The same model with other weights beside one of its name: the file's name tells them apart."""
    if source.name or source.checkpoint is None:
        return source
    name = source.model if isinstance(source.model, str) else type(source.model).__name__
    return replace(source, name=f"{name} ({source.checkpoint.name})")


def _takes_checkpoint(model: Model) -> bool:
    return isinstance(model, nn.Module) or (isinstance(model, str) and zoo.takes_checkpoint(model))


def load_model(source: Source, data: Dataset, request: Request) -> LoadedModel:
    """A model under the name that was given for it."""
    loaded = _bare(source, data, request)
    return replace(loaded, card=replace(loaded.card, name=source.name)) if source.name else loaded


def looked_at(loaded: LoadedModel, data: Dataset, request: Request) -> LoadedModel:
    """A model after a look at it on a few images: its logits alone, and the low-bit weights that are seen in it.

    One of the zoo gives its logits, and brings its stored weights.

    Args:
        loaded: the model.
        data: in the size that it takes.
        request: says of how many bits they are, if the user knows.
    """
    if loaded.card.sha256:
        return loaded
    x = to_pixels(data.images[:SEEN], CPU)
    take_contiguous(loaded.module, x)
    give_logits_alone(loaded.module, x)
    return with_seen_weights(loaded, x, request.bits)


def _bare(source: Source, data: Dataset, request: Request) -> LoadedModel:
    model, checkpoint = source.model, source.checkpoint
    if isinstance(model, LoadedModel):
        return model
    if isinstance(model, nn.Module):
        loaded = from_any(model, type(unwrapped(model)).__name__)
        return loaded if checkpoint is None else zoo.with_checkpoint(loaded, checkpoint)
    benchmark = data.name if data.name in zoo.names() else "cifar10"
    classes = request.num_classes or len(data.classes)
    options = request.options if zoo.takes_checkpoint(model) else {}
    return zoo.load(model, benchmark, classes, checkpoint, options, trust=request.trust)


def pair(loaded: list[LoadedModel], data: Dataset, request: Request, quantizer: str) -> dict[LoadedModel, LoadedModel]:
    """Model -> its twin: one that is there already, or loaded by name.

    Raises:
        RobenchError: there is no such quantizer, or no such model.
    """
    if quantizer:
        QUANTIZERS[quantizer]
    found: dict[LoadedModel, LoadedModel] = {}
    given: dict[Model, LoadedModel] = {}
    for model, source in zip(loaded, sources(request), strict=True):
        if request.twin_checkpoint is not None:
            spec = source.model if request.twin == "auto" else request.twin
            if spec not in given:
                twin = Source(spec, request.twin_checkpoint)
                other = load_model(_beside(twin) if spec == source.model else twin, data, request)
                given[spec] = looked_at(other, data, request)
            found[model] = given[spec]
            continue
        named = _twin(model, [*loaded, *found.values()], data, request, quantizer)
        if named is not None:
            found[model] = named
    return found


def _twin(
    model: LoadedModel, others: list[LoadedModel], data: Dataset, request: Request, quantizer: str
) -> LoadedModel | None:
    auto = request.twin == "auto"
    name = zoo.twin_name(model.card, quantizer) if auto else request.twin
    if name in ("", "none") or name == model.card.name:
        return None
    same_set = [other for other in others if other.card.name == name and other.card.dataset == model.card.dataset]
    if same_set:
        return same_set[0]
    if auto:
        return zoo.twin_of(model.card, name)
    return looked_at(load_model(Source(name), data, request), data, request)
