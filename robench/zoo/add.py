"""From a trained network, or a checkpoint, to a folder of the zoo."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import tomli_w

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
from robench.engine.loaded import LoadedModel, from_module
from robench.engine.quantize import needs_images, quantized
from robench.engine.seen import with_seen_weights
from robench.engine.verdict import CPU, count_correct, near_chance, to_pixels
from robench.quantizers import QUANTIZERS, files
from robench.quantizers.files import StoredModel
from robench.zoo.checkpoints import load_checkpoint
from robench.zoo.load import CODE, build, load_folder, sha256

SEEN = 4
"""Images with which a model's weights are seen."""
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
    card = replace(card, bits=max((weight.bits for weight in stored.codes.values()), default=32), sha256=sha256(path))
    write_card(card, folder)
    module = load_folder(folder, trust=True).module
    card = card.with_size(count_weights(module), path.stat().st_size)
    correct = count_correct(Blocked(module), test)
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
    card: ModelCard,
    checkpoint: Path,
    folder: Path,
    *,
    code: Path | None = None,
    data_dir: Path | None = None,
    bits: int = 0,
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
        bits: of a code of low-bit weights that the checkpoint holds, or that the code makes of it; 16 or 32 for floats;
            0 for what is seen.

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
        load_checkpoint(module, checkpoint)
        seen = with_seen_weights(from_module(module, card.name), to_pixels(test.images[:SEEN], CPU), bits)
        if card.quantizer == "fp":  # what its weights or its architecture's own quantizers show
            card = replace(card, quantizer=seen.card.quantizer, weights_in_all=seen.card.weights_in_all)
        card = export(draft, card, split(seen, card.quantizer), test)
        if near_chance(card.test["correct"], len(test), len(test.classes)):
            raise RobenchError(
                f"{score(card)} is near chance: check the normalisation (--mean, --std), the order of the labels and "
                "the architecture's options."
            )
    return card


def add_quantized(
    model: LoadedModel, quantizer: str, folder: Path, data_dir: Path | None = None, code: Path | None = None
) -> ModelCard:
    """Make a folder of the zoo from a model of the zoo, quantized after training.

    Args:
        model: of the zoo; it becomes the twin.
        quantizer: a registered name.
        folder: must not be there yet; its name is the new model's.
        data_dir: where the data are.
        code: the file that the card's ``model.py:factory`` stands for, where the model has one.

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
        if code is not None:
            shutil.copyfile(code, draft / CODE)
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


def split(model: LoadedModel, quantizer: str) -> StoredModel:
    """A model's tensors as they are stored.

    Weights in which few values were seen are stored as codes; of the others the inner ones go through the quantizer,
    where one of that name is registered.
    """
    floats = {name: tensor.contiguous() for name, tensor in model.module.state_dict().items()}
    codes = {name: stored for name, stored in model.stored.items() if stored.is_coded}
    if quantizer in QUANTIZERS:
        for name, weight in inner_weights(model.module).items():
            stored = codes.get(name) or QUANTIZERS[quantizer](weight.detach()).store(weight.detach())
            codes |= {name: stored} if stored.is_coded else {}
    return StoredModel({name: tensor for name, tensor in floats.items() if name not in codes}, codes)
