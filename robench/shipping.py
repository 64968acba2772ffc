"""From a trained network to a folder of the zoo, and whether a folder keeps what its card says."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import tomli_w
import torch
from torch import nn

from robench import checks, zoo
from robench.core.errors import RobenchError
from robench.core.types import ModelCard
from robench.data.base import Dataset
from robench.data.load import load as load_data
from robench.models.blocked import Blocked
from robench.models.external import read_checkpoint
from robench.models.layers import count_weights, inner_layers, weighted_layers
from robench.quantizers import QUANTIZERS, packing
from robench.quantizers.base import LowBit
from robench.subject import count_correct


def ship(
    folder: Path, card: ModelCard, floats: Mapping[str, torch.Tensor], lowbits: Mapping[str, LowBit], test: Dataset
) -> ModelCard:
    """Write weights.safetensors and card.toml, load them again, and measure clean accuracy.

    Args:
        folder: where they go.
        card: what is known; sizes, checksum and accuracy are filled in.
        floats, lowbits: all tensors of the model, by state-dict name.
        test: the images on which clean accuracy is measured.

    Returns:
        The card that was written.
    """
    path = folder / "weights.safetensors"
    packing.save(path, dict(floats), dict(lowbits))
    module = zoo.build(card, folder)
    card = card.with_size(count_weights(module), path.stat().st_size)
    card = replace(card, bits=max((lowbit.bits for lowbit in lowbits.values()), default=32), sha256=zoo.sha256(path))
    write_card(card, folder)
    correct = count_correct(Blocked(zoo.load_folder(folder).module), test)
    score = {"correct": correct, "total": len(test), "source": test.source, "fingerprint": test.fingerprint}
    card = replace(card, test=score)
    write_card(card, folder)
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write card.toml."""
    (folder / "card.toml").write_text(tomli_w.dumps(asdict(card)))


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
        code: a Python file that the card's ``model.py:factory`` stands for.
        data_dir: where the data are.

    Raises:
        RobenchError: the checkpoint cannot be read, does not fit, or is no better than chance on the test images.
    """
    if folder.exists():
        raise RobenchError(f"{folder} is there already; choose another name, or delete it first.")
    test = load_data(card.dataset, "test", data_dir)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as place:
        draft = Path(place) / "model"
        draft.mkdir()
        if code is not None:
            shutil.copyfile(code, draft / zoo.CODE)
        card = replace(card, num_classes=len(test.classes))
        module = zoo.build(card, draft)
        module.load_state_dict(matched(module, read_checkpoint(checkpoint), str(checkpoint)))
        card = ship(draft, card, *split(module, card.quantizer), test)
        if checks.of_clean_accuracy(card.test["correct"], len(test), len(test.classes)):
            raise RobenchError(
                f"{score(card)} is near chance: check the normalisation (--mean, --std), the order of the labels and "
                "the architecture's options."
            )
        draft.rename(folder)
    return card


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


def split(module: nn.Module, quantizer: str) -> tuple[dict[str, torch.Tensor], dict[str, LowBit]]:
    """A model's tensors as (full-precision ones, low-bit ones).

    Inner weights that hold low-bit values are packed as they are; others go through the quantizer, where one of that
    name is registered.
    """
    floats = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    known = quantizer in QUANTIZERS
    lowbits = {}
    for name, layer in inner_layers(module).items():
        weight = layer.weight.detach()
        lowbit = packing.recognise(weight)
        if lowbit is None and known:
            lowbit = QUANTIZERS[quantizer](weight).lowbit(weight)
        if lowbit is not None:
            lowbits[f"{name}.weight"] = lowbit
            del floats[f"{name}.weight"]
    return floats, lowbits


def verify(folder: Path, data_dir: Path | None = None) -> tuple[list[str], str]:
    """Check a folder of the zoo: checksum, architecture, bits, size, twin, and clean accuracy if the images are here.

    Returns:
        (what is wrong, clean accuracy in words).
    """
    try:
        loaded = zoo.load_folder(folder)
    except RobenchError as error:
        return [str(error)], ""
    card = loaded.card
    wrong = []
    if (card.name, card.dataset) != (folder.name, folder.parent.name):
        wrong.append(f"its card says {card.dataset}/{card.name}")
    if card.stored_bytes != (folder / "weights.safetensors").stat().st_size:
        wrong.append(f"the card says {card.stored_bytes} bytes")
    if (card.bits < 32) != bool(loaded.lowbit) or not _fits(loaded, card.bits):
        wrong.append(f"its weights are not of {card.bits} bits")
    twin = folder.parent / card.twin
    if card.twin and (not (twin / "card.toml").is_file() or not _alike(card, zoo.read_card(twin))):
        wrong.append(f"its twin {card.twin} is not in the zoo, or of another architecture")
    return wrong + _check_accuracy(loaded, data_dir), score(card) if card.test else "no accuracy in the card"


def _fits(loaded: zoo.LoadedModel, bits: int) -> bool:
    weights = [layer.weight for name, layer in weighted_layers(loaded.module).items() if name in loaded.lowbit]
    return all(len(row.unique()) <= 2**bits for weight in weights for row in weight)


def _alike(card: ModelCard, twin: ModelCard) -> bool:
    return (card.architecture, card.options) == (twin.architecture, twin.options)


def _check_accuracy(loaded: zoo.LoadedModel, data_dir: Path | None) -> list[str]:
    try:
        data = load_data(loaded.card.dataset, "test", data_dir)
    except RobenchError:
        return []
    claimed = loaded.card.test
    if data.fingerprint != claimed.get("fingerprint"):
        return []
    correct = count_correct(Blocked(loaded.module), data)
    if abs(correct - claimed["correct"]) <= 1:  # kernels differ between machines: an image on the edge may flip
        return []
    return [f"it gets {correct} of {len(data)} images right, and the card says {claimed['correct']}"]
