"""From a trained network, or a checkpoint, to a folder of the zoo."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import tomli_w
import torch
from torch import nn

from robench.core.errors import RobenchError
from robench.core.files import exists, whole, write_text
from robench.core.gate import check_name
from robench.core.types import ModelCard
from robench.data import DATASETS
from robench.data.base import Dataset
from robench.data.load import load as load_data
from robench.data.load import load_calibration
from robench.engine.blocked import Blocked
from robench.engine.layers import count_weights, inner_weights
from robench.engine.loaded import LoadedModel
from robench.engine.quantize import needs_images, quantized
from robench.engine.verdict import count_correct, near_chance
from robench.quantizers import QUANTIZERS, files
from robench.quantizers.files import StoredModel
from robench.zoo.external import load_state, read_checkpoint
from robench.zoo.load import CODE, build, load_folder, sha256

PAPER = "Krishnamoorthi 2018, arXiv:1806.08342"


def export(folder: Path, card: ModelCard, stored: StoredModel, test: Dataset) -> ModelCard:
    """Write weights.safetensors and card.toml, load them again, and measure clean accuracy.

    Args:
        folder: where they go.
        card: what is known; sizes, checksum and accuracy are filled in.
        stored: all tensors of the model.
        test: the images on which clean accuracy is measured.

    Returns:
        The card that was written.
    """
    path = folder / "weights.safetensors"
    with whole(path) as partial:
        files.save(partial, stored)
    module = build(card, folder, trust=True)
    card = card.with_size(count_weights(module), path.stat().st_size)
    card = replace(card, bits=max((weight.bits for weight in stored.codes.values()), default=32), sha256=sha256(path))
    write_card(card, folder)
    correct = count_correct(Blocked(load_folder(folder, trust=True).module), test)
    score = {"correct": correct, "total": len(test), "source": test.source, "fingerprint": test.fingerprint}
    card = replace(card, test=score)
    write_card(card, folder)
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write card.toml."""
    write_text(folder / "card.toml", tomli_w.dumps(asdict(card)))


def score(card: ModelCard) -> str:
    """Clean accuracy in words that name the images."""
    test = card.test
    return f"{test['correct']}/{test['total']} = {test['correct'] / test['total']:.2%} on {test['source']}"


def add(
    card: ModelCard, checkpoint: Path, folder: Path, *, code: Path | None = None, data_dir: Path | None = None
) -> ModelCard:
    """Make a folder of the zoo from a checkpoint that was not made here.

    Args:
        card: name, dataset, architecture and the facts that are known; a registered quantizer says how latent weights
            become low-bit ones, where the checkpoint does not hold low-bit values already.
        checkpoint: a safetensors or torch file; names may have a prefix, or differ where order and shapes agree.
        folder: must not be there yet; nothing is left in it where something fails.
        code: a Python file that the card's ``model.py:factory`` stands for; it is run, as any architecture that the
            card names.
        data_dir: where the data are.

    Raises:
        RobenchError: the checkpoint cannot be read, does not fit, or is no better than chance on the test images.
    """
    _check_new(folder)
    test = load_data(card.dataset, "test", data_dir)
    with _draft(folder) as draft:
        if code is not None:
            shutil.copyfile(code, draft / CODE)
        card = replace(card, num_classes=len(test.classes))
        module = build(card, draft, trust=True)
        load_state(module, matched(module, read_checkpoint(checkpoint), str(checkpoint)), str(checkpoint))
        card = export(draft, card, split(module, card.quantizer), test)
        if near_chance(card.test["correct"], len(test), len(test.classes)):
            raise RobenchError(
                f"{score(card)} is near chance: check the normalisation (--mean, --std), the order of the labels and "
                "the architecture's options."
            )
    return card


def add_quantized(model: LoadedModel, quantizer: str, folder: Path, data_dir: Path | None = None) -> ModelCard:
    """Make a folder of the zoo from a model of the zoo, quantized after training.

    Args:
        model: of the zoo; it becomes the twin.
        quantizer: a registered name.
        folder: must not be there yet; its name is the new model's.
        data_dir: where the data are.

    Raises:
        RobenchError: the folder is there, the data are not, or the quantizer does not fit.
    """
    _check_new(folder)
    dataset = model.card.dataset
    test = load_data(dataset, "test", data_dir)
    result = quantized(model, quantizer, load_calibration(dataset, data_dir) if needs_images(quantizer) else None)
    codes = {name: stored for name, stored in result.stored.items() if stored.is_coded}
    floats = {n: t.contiguous() for n, t in result.module.state_dict().items() if n not in codes}
    card = replace(result.card, name=folder.name, paper=PAPER)
    with _draft(folder) as draft:
        return export(draft, card, StoredModel(floats, codes, result.activations), test)


def new_folder(root: Path, dataset: str, name: str) -> Path:
    """Where a new model goes in a zoo.

    Raises:
        RobenchError: the name is none for a folder, the data set is not registered, or the model is there already.
    """
    check_name(name, "the name of a model")
    DATASETS[dataset]
    folder = root / dataset / name
    _check_new(folder)
    return folder


def _check_new(folder: Path) -> None:
    if exists(folder, Path.exists):
        raise RobenchError(f"{folder} is there already; choose another name, or delete it first.")


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that becomes it when the block ends, and is removed where it fails."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
            draft = Path(place) / "model"
            draft.mkdir()
            yield draft
            draft.rename(folder)
    except OSError as error:
        raise RobenchError(
            f"{folder} cannot be written: {error.strerror or error}; name another with --zoo."
        ) from error


def matched(module: nn.Module, state: dict[str, torch.Tensor], source: str) -> dict[str, torch.Tensor]:
    """``state`` under the module's own names: by name, by name behind ``network.``, or by order and shape.

    Raises:
        RobenchError: none of these fits.
    """
    wanted = module.state_dict()
    counters = "num_batches_tracked"
    for prefix in ("", "network."):
        named = {name: tensor for name, tensor in wanted.items() if name.endswith(counters)}
        named |= {f"{prefix}{name}": tensor for name, tensor in state.items()}
        if named.keys() == wanted.keys() and all(named[name].shape == wanted[name].shape for name in wanted):
            return named
    ours = [name for name in wanted if not name.endswith(counters)]
    theirs = [name for name in state if not name.endswith(counters)]
    for index, (own, name) in enumerate(zip(ours, theirs, strict=False)):
        if wanted[own].shape != state[name].shape:
            raise RobenchError(
                f"the weights in {source} do not fit the architecture: tensor {index + 1} is {name} "
                f"{list(state[name].shape)} there and {own} {list(wanted[own].shape)} here."
            )
    if len(ours) != len(theirs):
        raise RobenchError(f"{source} holds {len(theirs)} tensors, and the architecture has {len(ours)}.")
    return wanted | {own: state[name] for own, name in zip(ours, theirs, strict=True)}


def split(module: nn.Module, quantizer: str) -> StoredModel:
    """A model's tensors as they are stored.

    Inner weights that hold binary or ternary values are stored as such; others go through the quantizer, where one of
    that name is registered.
    """
    floats = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    codes = {}
    for name, weight in inner_weights(module).items():
        stored = files.recognise(weight.detach())
        if stored is None and quantizer in QUANTIZERS:
            stored = QUANTIZERS[quantizer](weight.detach()).store(weight.detach())
        if stored is not None and stored.is_coded:
            codes[name] = stored
            del floats[name]
    return StoredModel(floats, codes)
