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
from robench.training.trainer import Trainer


def start(recipe: Recipe, folder: Path, data_dir: Path | None) -> Trainer:
    """A trainer whose checkpoint is in ``folder``, going on where an earlier run of the same recipe stopped."""
    data = load_data(recipe.dataset, "train", data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Trainer(recipe, data, folder / "checkpoint.pt")
    except FileExistsError as error:
        raise RobenchError(f"{folder} holds a run of another recipe; name another folder with --out.") from error


def ship(trainer: Trainer, folder: Path, data_dir: Path | None) -> ModelCard:
    """Write weights.safetensors and card.toml, load them again, and measure clean accuracy on the test set.

    Returns:
        The model card that was written.
    """
    recipe = trainer.recipe
    network = trainer.model.network
    assert isinstance(network, torch.nn.Module)
    floats, lowbits = deploy(network)
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
        bits=QUANTIZERS[recipe.quantizer].bits,
        num_classes=len(trainer.classes),
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
        weights=sum(layer.weight.numel() for layer in weighted_layers(network).values()),
        stored_bytes=path.stat().st_size,
        sha256=zoo.sha256(path),
        twin=recipe.twin,
        training=settings | {"source": trainer.source, "train_images": len(trainer.labels), "weights": "final epoch"},
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
