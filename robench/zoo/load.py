"""A name -> a checked, deployed model. Weights load without running code."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import torch
from torch import nn

from robench.architectures import ARCHITECTURES
from robench.core.errors import RobenchError, foreign_code
from robench.core.files import check_data_file, exists, file_digest, short
from robench.core.gate import check_name, checked, read_toml
from robench.core.registry import did_you_mean
from robench.core.types import LARGEST_OPTION, Count, Line, ModelCard
from robench.data import DATASETS
from robench.engine.activations import quantize_inputs
from robench.engine.classifier import Classifier
from robench.engine.loaded import LoadedModel, stored_weights
from robench.engine.substituted import substitute_named
from robench.formats import from_any, is_file_format, load_file, meant
from robench.quantizers import files
from robench.zoo import hub
from robench.zoo.checkpoints import check_fit, load_checkpoint, load_state
from robench.zoo.external import NO_OPTIONS, Options, create_timm, functions_in, load_factory, load_timm
from robench.zoo.places import find, folders, names

CODE = "model.py"
FETCHING = ("checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")
"""Options of timm's by which a card could name files of this machine, or addresses."""
NEEDED = ("name", "dataset", "architecture", "num_classes", "mean", "std", "sha256")
"""Keys of a card without which a model would not be the one that was meant."""


@dataclass(frozen=True)
class Score:
    """Clean accuracy in a model card: of ``total`` images from ``source``, with their fingerprint."""

    correct: Count
    total: Count
    source: Line
    fingerprint: Line

    def __post_init__(self) -> None:
        if not self.correct <= self.total or not self.total:
            raise ValueError(f"{self.correct} of {self.total} images cannot be right")


def read_card(folder: Path) -> ModelCard:
    """The model card in a folder of the zoo.

    Raises:
        RobenchError: there is none, or something in it does not fit.
    """
    path = folder / "card.toml"
    where = f"the model card {path}"
    data = read_toml(path, "model card")
    for key in NEEDED:
        if key not in data:
            raise RobenchError(f"{where}: missing key {key!r}.")
    card = checked(ModelCard, data, where)
    check_name(card.name, f"{where}: a name")
    if card.twin:
        check_name(card.twin, f"{where}: a twin")
    if card.test:
        checked(Score, card.test, f"{where}, test")
    return card


def twin_of(card: ModelCard, name: str) -> LoadedModel:
    """The twin of a card by name, which is a model of the zoo for the same data set."""
    folder = find(name, card.dataset)
    if folder is None:
        raise RobenchError(
            f"the zoo has no model {name} for {card.dataset}, the twin of {card.name}; name another with --twin, "
            "or say --twin none."
        )
    return load_folder(folder)


def twin_name(card: ModelCard, quantizer: str = "") -> str:
    """The name of a card's twin; "" where there is none.

    Args:
        card: of a model.
        quantizer: "" for the twin in full precision that the card names; else, for a low-bit model, the network of the
            zoo that this quantizer has made of that one, without training against bit errors.
    """
    if not quantizer:
        return card.twin
    if card.bits == 32 or not card.twin:
        return ""
    for name, folder in folders().get(card.dataset, {}).items():
        other = read_card(folder)
        same = (other.quantizer, other.twin, other.architecture) == (quantizer, card.twin, card.architecture)
        if same and not other.training.get("bit_errors"):
            return "" if name == card.name else name
    return ""


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal.

    Raises:
        RobenchError: the file is missing or cannot be read.
    """
    check_data_file(path, "weights file")
    return file_digest(path)


def load_folder(folder: Path, *, trust: bool = False) -> LoadedModel:
    """Load a folder with card.toml and weights.safetensors, after checking the weights' checksum.

    Args:
        folder: of a zoo, or what ``robench train`` wrote.
        trust: run the code that its card names, if it names some.

    Raises:
        RobenchError: something is missing, damaged, or does not fit the architecture, or code is not trusted.
    """
    card = read_card(folder)
    path = folder / "weights.safetensors"
    if sha256(path) != card.sha256:
        raise RobenchError(f"the weights file {path} is damaged: its sha256 is not the card's; fetch it again.")
    stored = files.load(path)
    state = dict(stored.floats) | {name: w.weight() for name, w in stored.codes.items()}
    if ":" not in card.architecture:
        # Without memory first: a card may ask for more than its weights file can fill.
        with torch.device("meta"):
            check_fit(build(card, folder), state, str(path))
    module = build(card, folder, trust=trust)
    substitute_named(module, state)
    load_state(module, state, str(path))
    quantize_inputs(module, stored.activations)
    return LoadedModel(card, module.eval(), stored_weights(module, stored.codes), stored.activations)


def build(card: ModelCard, folder: Path, *, trust: bool = False) -> nn.Module:
    """The model of a card without its weights: pixels in, logits out.

    The card's architecture is a registered name, ``timm:NAME``, ``package.module:factory`` or ``model.py:factory``, a
    file in the same folder; a factory brings its own normalisation.

    Raises:
        RobenchError: there is no such architecture, its options do not fit, or it needs code that is not trusted.
    """
    if card.architecture.startswith("timm:"):
        options = {name: value for name, value in card.options.items() if name not in FETCHING}
        network = create_timm(card.architecture.removeprefix("timm:"), card.num_classes, options)
    elif ":" in card.architecture:
        if not trust:
            raise RobenchError(
                f"the model in {folder} runs code of its own, {card.architecture}; read that, and say --trust if you "
                "would run it."
            )
        spec = f"{folder}/{card.architecture}" if card.architecture.startswith(CODE) else card.architecture
        return load_factory(spec, None, card.options)
    else:
        network = _network(card)
    return Classifier(network, card.mean, card.std)


def _network(card: ModelCard) -> nn.Module:
    architecture = ARCHITECTURES[card.architecture]
    with foreign_code(f"the architecture {card.architecture} with the options {dict(card.options)}"):
        return architecture(num_classes=card.num_classes, **card.options)


def benchmarks(spec: str) -> list[str]:
    """The data sets that a model was made for; none are known of a model that is not the zoo's.

    Raises:
        RobenchError: the zoo has no such model.
    """
    if spec.startswith(hub.PREFIX):
        return [_hub_card(spec, hub.fetch_model(spec)[0]).dataset]
    if is_external(spec):
        return []
    if exists(Path(spec) / "card.toml"):
        return [read_card(Path(spec)).dataset]
    dataset, _, name = spec.rpartition("/")
    found = [known for known, models in names().items() if name in models and dataset in ("", known)]
    if not found:
        raise unknown(spec, sorted({model for models in names().values() for model in models}))
    return found


def with_checkpoint(loaded: LoadedModel, checkpoint: Path) -> LoadedModel:
    """A model of the user's, which is nobody else's any more, with weights from a file, which its card names."""
    load_checkpoint(loaded.module, checkpoint)
    return replace(loaded, card=replace(loaded.card, source=_named(checkpoint)))


def _named(checkpoint: Path) -> str:
    return f"{checkpoint.name[:200]} (sha256 {sha256(checkpoint)})"


def takes_checkpoint(spec: str) -> bool:
    """Whether a model is one without weights of its own: ``timm:NAME`` or a factory."""
    return is_external(spec) and not is_file_format(spec) and not spec.startswith(hub.PREFIX)


def is_external(spec: str) -> bool:
    """Whether a model is ``timm:NAME``, a factory or a file of its own format."""
    return ":" in spec


def unknown(spec: str, known: list[str]) -> RobenchError:
    """The error for a name that no model has."""
    if meant(spec):
        return RobenchError(f"no model is named {spec!r}; a file is named with its format: {meant(spec)}")
    if spec.endswith(".py") and exists(Path(spec)):
        found = functions_in(Path(spec))
        which = f"it has {', '.join(found[:5])}" if found else "it has none yet"
        return RobenchError(f"{spec} is a file; name the function of it that gives the model, {spec}:NAME ({which}).")
    return RobenchError(
        f"no model is named {spec!r}; {did_you_mean(spec, known)} "
        "Your own: hf:OWNER/NAME, timm:NAME, package.module:factory, path/to/file.py:factory, onnx:FILE, "
        "torchscript:FILE or pt2:FILE."
    )


def load(
    spec: str,
    dataset: str,
    num_classes: int,
    checkpoint: Path | None = None,
    options: Options = NO_OPTIONS,
    *,
    trust: bool = False,
) -> LoadedModel:
    """Load whatever the user may name as a model.

    Args:
        spec: a zoo model (``twn_resnet20``, ``digits/twn_resnet20``), a folder that ``robench train`` wrote,
            ``hf:OWNER/NAME[@REVISION]`` (such a folder on the Hugging Face Hub), ``timm:NAME``,
            ``package.module:factory``, ``path/to/file.py:factory``, ``onnx:FILE``, ``torchscript:FILE`` or
            ``pt2:FILE``.
        dataset: which of the zoo's models a bare name means.
        num_classes: of the data; a timm model is built for it.
        checkpoint: weights for a timm model or a factory's.
        options: keyword arguments of a factory, or of timm's ``create_model``.
        trust: run the code that the card of a folder names. A factory is named by the user, and runs.

    Raises:
        RobenchError: no such model, or one that cannot be loaded.
    """
    if spec.startswith(hub.PREFIX):
        return load_from_hub(spec)
    if takes_checkpoint(spec):
        return _load_external(spec, num_classes, checkpoint, options)
    if options:
        raise RobenchError(f"--option goes with timm:NAME or a factory; {spec} takes none.")
    if checkpoint is not None:
        raise RobenchError(f"--checkpoint goes with timm:NAME or a factory; {spec} brings its own weights.")
    if is_file_format(spec):
        return load_file(spec)
    if exists(Path(spec) / "card.toml"):
        loaded = load_folder(Path(spec), trust=trust)
        return replace(loaded, card=replace(loaded.card, name=spec))
    folder = find(spec, dataset)
    if folder is None:
        raise unknown(spec, names().get(dataset, []))
    return load_folder(folder, trust=trust)


def _load_external(spec: str, num_classes: int, checkpoint: Path | None, options: Options) -> LoadedModel:
    """``timm:NAME`` or a factory; its card keeps the options, those that are no numbers beside the others."""
    if spec.startswith("timm:"):
        module = load_timm(spec.removeprefix("timm:"), num_classes, checkpoint, options)
    else:
        module = load_factory(spec, checkpoint, options)
    loaded = from_any(module, spec, own=True)
    source = _named(checkpoint) if checkpoint else ""
    numbers = {name: value for name, value in options.items() if _fits_a_card(value)}
    words = {name: value for name, value in options.items() if name not in numbers}
    training = {"options": words} if words else {}
    return replace(loaded, card=replace(loaded.card, options=numbers, training=training, source=source))


def _fits_a_card(value: object) -> TypeGuard[int | float]:
    """Whether an option is a number as those of an architecture are; a card keeps others as words."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST_OPTION


def load_from_hub(spec: str) -> LoadedModel:
    """A model folder on the Hugging Face Hub; its code, if it has any, is not run.

    Raises:
        RobenchError: it cannot be had, is damaged, needs code of its own, or names what a stranger's card may not.
    """
    folder, source = hub.fetch_model(spec)
    _hub_card(spec, folder)
    loaded = load_folder(folder)
    return replace(loaded, card=replace(loaded.card, name=spec, source=source))


def _hub_card(spec: str, folder: Path) -> ModelCard:
    """The card of a stranger, which may name registered architectures and data sets, and nothing on this machine."""
    card = read_card(folder)
    if ":" in card.architecture and not card.architecture.startswith("timm:"):
        raise RobenchError(
            f"{spec} needs code of its own ({card.architecture}), which is not run; fetch and read it first."
        )
    if card.dataset not in DATASETS:
        raise RobenchError(
            f"{spec} says that it was made for {short(repr(card.dataset), 80)}, which is no registered data set: "
            f"{', '.join(DATASETS)}."
        )
    return card
