"""From a recipe to a running trainer, and from the trained network to a folder of the zoo."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import torch

from robench.core.errors import RobenchError
from robench.core.files import write_text
from robench.core.types import ModelCard
from robench.data.base import Dataset
from robench.data.load import load as load_data
from robench.engine.recalibration import recalibrate
from robench.quantizers.attach import deploy
from robench.quantizers.files import StoredModel
from robench.training.recipe import Recipe
from robench.training.trainer import BRANCH, Trainer
from robench.zoo import add

CARD_FIELDS = ("name", "dataset", "architecture", "quantizer", "options", "twin", "paper")


def start(
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    device: torch.device | None = None,
    twin: Path | None = None,
    *,
    precision: str = "auto",
    compiled: bool = False,
) -> Trainer:
    """A trainer whose checkpoint is in ``folder``, going on where an earlier run of the same recipe stopped.

    Args:
        recipe: what to train.
        data: training images.
        folder: where its state, log and result go.
        device: where to compute; the CPU unless given.
        twin: folder of a run whose recipe differs only in the quantizer and later: its first epochs are taken over.
        precision: as for the trainer.
        compiled: compute through torch.compile.

    Raises:
        RobenchError: there is another run in a folder than this recipe needs, no such precision, or no compiler.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trainer = Trainer(recipe, data, folder / "checkpoint.pt", device, precision=precision, compiled=compiled)
        if twin is not None and not trainer.done:
            trainer.branch(twin / BRANCH)
            lines = (twin / "log.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(folder / "log.jsonl", "".join(lines[: trainer.done]))
    except FileExistsError as error:
        raise RobenchError(f"{error} holds a run of another recipe; name another folder.") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RobenchError(f"there is no {error.filename}: let that run pass its full-precision epochs.") from error
    return trainer


def export(trainer: Trainer, folder: Path, data_dir: Path | None = None) -> ModelCard:
    """Write the trained model as a folder of the zoo, and measure its clean accuracy.

    Returns:
        The model card that was written.
    """
    recipe, data = trainer.recipe, trainer.data
    network = trainer.model.network
    assert isinstance(network, torch.nn.Module)
    if recipe.recalibrate:
        recalibrate(trainer.model, trainer.augmented(recipe.recalibrate))
    floats, codes = deploy(network.cpu())
    hidden = (*CARD_FIELDS, "mean", "std")
    settings = {name: value for name, value in asdict(recipe).items() if name not in hidden}
    card = ModelCard(
        **{name: getattr(recipe, name) for name in CARD_FIELDS},
        num_classes=len(data.classes),
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
        training=settings
        | {
            "source": data.source,
            "train_images": len(data),
            "weights": _which(recipe),
            "precision": in_words(trainer.precisions),
        },
    )
    return add.export(
        folder,
        card,
        StoredModel(
            {f"network.{name}": tensor for name, tensor in floats.items()},
            {f"network.{name}": stored for name, stored in codes.items()},
        ),
        load_data(recipe.dataset, "test", data_dir).like(data),
    )


def in_words(precisions: Sequence[str]) -> str:
    """The precision of each epoch, as a card says it: ``bfloat16``, or ``bfloat16 to epoch 9, float32 to epoch 30``."""
    last = [epoch for epoch, pair in enumerate(pairwise([*precisions, ""]), start=1) if pair[0] != pair[1]]
    if len(last) == 1:
        return precisions[0]
    return ", ".join(f"{precisions[epoch - 1]} to epoch {epoch}" for epoch in last)


def _which(recipe: Recipe) -> str:
    return f"average of the last {recipe.average} epochs" if recipe.average else "final epoch"
