"""A name -> a checked, deployed model. Weights load without running code."""

import hashlib
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from torch import nn

from robench.architectures import ARCHITECTURES
from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean
from robench.core.types import ModelCard
from robench.engine.activations import quantize_inputs
from robench.engine.classifier import Classifier
from robench.engine.loaded import LoadedModel, from_module, stored_weights
from robench.quantizers import files
from robench.zoo import hub
from robench.zoo.external import create_timm, load_factory, load_state, load_timm

CODE = "model.py"


def root() -> Path:
    """The folder of the zoo: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parents[1] / "_zoo"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "zoo"


def names() -> dict[str, list[str]]:
    """Data set -> the models that the zoo has for it."""
    found: dict[str, list[str]] = {}
    for path in sorted(root().glob("*/*/card.toml")):
        found.setdefault(path.parts[-3], []).append(path.parts[-2])
    return found


def read_card(folder: Path) -> ModelCard:
    """The model card in a folder of the zoo.

    Raises:
        RobenchError: there is none, or it is not well formed.
    """
    path = folder / "card.toml"
    try:
        data = tomllib.loads(path.read_text())
        known = {field.name for field in fields(ModelCard)}
        chosen: dict[str, Any] = {name: value for name, value in data.items() if name in known}
        return ModelCard(**chosen | {name: tuple(data[name]) for name in ("mean", "std")})
    except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise RobenchError(f"the model card {path} cannot be read ({error}).") from error


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal.

    Raises:
        RobenchError: the file is missing or cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RobenchError(f"the weights file {path} cannot be read ({error.strerror}); restore it.") from error


def load_folder(folder: Path) -> LoadedModel:
    """Load a folder with card.toml and weights.safetensors, after checking the weights' checksum.

    Raises:
        RobenchError: something is missing, damaged, or does not fit the architecture.
    """
    card = read_card(folder)
    path = folder / "weights.safetensors"
    if sha256(path) != card.sha256:
        raise RobenchError(f"the weights file {path} is damaged: its sha256 is not the card's; fetch it again.")
    stored = files.load(path)
    module = build(card, folder)
    load_state(module, dict(stored.floats) | {name: w.weight() for name, w in stored.codes.items()}, str(path))
    quantize_inputs(module, stored.activations)
    return LoadedModel(card, module.eval(), stored_weights(module, stored.codes), stored.activations)


def build(card: ModelCard, folder: Path) -> nn.Module:
    """The model of a card without its weights: pixels in, logits out.

    The card's architecture is a registered name, ``timm:NAME``, ``package.module:factory`` or ``model.py:factory``, a
    file in the same folder; a factory brings its own normalisation.
    """
    if card.architecture.startswith("timm:"):
        network = create_timm(card.architecture.removeprefix("timm:"), card.num_classes)
    elif ":" in card.architecture:
        spec = f"{folder}/{card.architecture}" if card.architecture.startswith(CODE) else card.architecture
        return load_factory(spec, None)
    else:
        network = ARCHITECTURES[card.architecture](num_classes=card.num_classes, **card.options)
    return Classifier(network, card.mean, card.std)


def find(name: str, dataset: str) -> Path | None:
    """The zoo's folder of a model for a data set; ``dataset/model`` names another one. None if the zoo has none."""
    for folder in (root() / dataset / name, root() / name):
        if (folder / "card.toml").is_file():
            return folder
    return None


def benchmarks(spec: str) -> list[str]:
    """The data sets that a model was made for; none are known of a model that is not the zoo's.

    Raises:
        RobenchError: the zoo has no such model.
    """
    if spec.startswith(hub.PREFIX):
        return [read_card(hub.fetch_model(spec)[0]).dataset]
    if is_external(spec):
        return []
    if (Path(spec) / "card.toml").is_file():
        return [read_card(Path(spec)).dataset]
    dataset, _, name = spec.rpartition("/")
    found = [known for known, models in names().items() if name in models and dataset in ("", known)]
    if not found:
        raise unknown(spec, sorted({model for models in names().values() for model in models}))
    return found


def is_external(spec: str) -> bool:
    """Whether a model is ``timm:NAME`` or a factory."""
    return ":" in spec


def unknown(spec: str, known: list[str]) -> RobenchError:
    """The error for a name that no model has."""
    return RobenchError(
        f"no model is named {spec!r}; {did_you_mean(spec, known)} "
        "Your own: hf:OWNER/NAME, timm:NAME, package.module:factory or path/to/file.py:factory."
    )


def load(spec: str, dataset: str, num_classes: int, checkpoint: Path | None = None) -> LoadedModel:
    """Load whatever the user may name as a model.

    Args:
        spec: a zoo model (``twn_resnet20``, ``digits/twn_resnet20``), a folder that ``robench train`` wrote,
            ``hf:OWNER/NAME[@REVISION]`` (such a folder on the Hugging Face Hub), ``timm:NAME``,
            ``package.module:factory`` or ``path/to/file.py:factory``.
        dataset: which of the zoo's models a bare name means.
        num_classes: of the data; a timm model is built for it.
        checkpoint: weights for a timm model or a factory's.

    Raises:
        RobenchError: no such model, or one that cannot be loaded.
    """
    if spec.startswith(hub.PREFIX):
        return load_from_hub(spec)
    if is_external(spec):
        if spec.startswith("timm:"):
            module = load_timm(spec.removeprefix("timm:"), num_classes, checkpoint)
        else:
            module = load_factory(spec, checkpoint)
        return from_module(module, spec)
    if checkpoint is not None:
        raise RobenchError(f"--checkpoint goes with timm:NAME or a factory; {spec} brings its own weights.")
    if (Path(spec) / "card.toml").is_file():
        loaded = load_folder(Path(spec))
        return replace(loaded, card=replace(loaded.card, name=spec))
    folder = find(spec, dataset)
    if folder is None:
        raise unknown(spec, names().get(dataset, []))
    return load_folder(folder)


def load_from_hub(spec: str) -> LoadedModel:
    """A model folder on the Hugging Face Hub; its code, if it has any, is not run.

    Raises:
        RobenchError: it cannot be had, is damaged, or needs code of its own.
    """
    folder, source = hub.fetch_model(spec)
    architecture = read_card(folder).architecture
    if ":" in architecture and not architecture.startswith("timm:"):
        raise RobenchError(f"{spec} needs code of its own ({architecture}), which is not run; fetch and read it first.")
    loaded = load_folder(folder)
    return replace(loaded, card=replace(loaded.card, name=spec, source=source))
