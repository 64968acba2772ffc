"""From a recipe to a running trainer, and from the trained network to a folder of the zoo."""

from dataclasses import asdict
from pathlib import Path

import tomli_w
import torch

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.types import ModelCard
from robench.data.load import load as load_data
from robench.models.blocked import Blocked
from robench.models.layers import weighted_layers
from robench.quantizers import QUANTIZERS, packing
from robench.quantizers.attach import deploy
from robench.training.recipe import Recipe
from robench.training.trainer import BRANCH, Trainer


def start(
    recipe: Recipe,
    folder: Path,
    data_dir: Path | None = None,
    device: torch.device | None = None,
    twin: Path | None = None,
) -> Trainer:
    """A trainer whose checkpoint is in ``folder``, going on where an earlier run of the same recipe stopped.

    Args:
        recipe: what to train.
        folder: where its state, log and result go.
        data_dir: where the data are.
        device: where to compute; the CPU unless given.
        twin: folder of a run whose recipe differs in the quantizer alone: its full-precision epochs are taken over.

    Raises:
        RobenchError: there is another run in a folder than this recipe needs.
    """
    data = load_data(recipe.dataset, "train", data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trainer = Trainer(recipe, data, folder / "checkpoint.pt", device)
        if twin is not None and not trainer.done:
            trainer.branch(twin / BRANCH)
            lines = (twin / "log.jsonl").read_text().splitlines(keepends=True)
            (folder / "log.jsonl").write_text("".join(lines[: trainer.done]))
    except FileExistsError as error:
        raise RobenchError(f"{error} holds a run of another recipe; name another folder.") from error
    except FileNotFoundError as error:
        raise RobenchError(f"there is no {error.filename}: let that run pass its full-precision epochs.") from error
    return trainer


def ship(trainer: Trainer, folder: Path, data_dir: Path | None) -> ModelCard:
    """Write weights.safetensors and card.toml, load them again, and measure clean accuracy on the test set.

    Returns:
        The model card that was written.
    """
    recipe = trainer.recipe
    network = trainer.model.network
    assert isinstance(network, torch.nn.Module)
    floats, lowbits = deploy(network.cpu())
    path = folder / "weights.safetensors"
    packing.save(
        path,
        {f"network.{name}": tensor for name, tensor in floats.items()},
        {f"network.{name}": lowbit for name, lowbit in lowbits.items()},
    )
    settings = {name: value for name, value in asdict(recipe).items() if name not in ("name", "twin", "paper")}
    card = ModelCard(
        name=recipe.name,
        dataset=recipe.dataset,
        architecture=recipe.architecture,
        quantizer=recipe.quantizer,
        options=recipe.options,
        bits=QUANTIZERS[recipe.quantizer].bits,
        num_classes=len(trainer.data.classes),
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
        weights=sum(layer.weight.numel() for layer in weighted_layers(network).values()),
        stored_bytes=path.stat().st_size,
        sha256=zoo.sha256(path),
        twin=recipe.twin,
        training=settings
        | {"source": trainer.data.source, "train_images": len(trainer.data), "weights": "final epoch"},
        paper=recipe.paper,
    )
    write_card(card, folder)
    card.training["test_accuracy"] = clean_accuracy(folder, data_dir)
    write_card(card, folder)
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write card.toml."""
    (folder / "card.toml").write_text(tomli_w.dumps(asdict(card)))


def clean_accuracy(folder: Path, data_dir: Path | None) -> str:
    """Accuracy of the shipped model on its test set, in words that name the images."""
    loaded = zoo.load_folder(folder)
    data = load_data(loaded.card.dataset, "test", data_dir)
    model = Blocked(loaded.module)
    with torch.inference_mode():
        guesses = torch.cat([model(part.float() / 255).argmax(1) for part in torch.from_numpy(data.images).split(512)])
    correct = int((guesses == torch.from_numpy(data.labels)).sum())
    return f"{correct}/{len(data)} = {correct / len(data):.2%} on {data.name} ({data.source})"
