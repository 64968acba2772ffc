"""robench train."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from robench.cli.app import DataDir, Device, command, messages, results


@command
def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe such as digits/twn_resnet20, or a TOML file.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the model; runs/RECIPE by default.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's; the name says so.")] = None,
    hold_out: Annotated[int | None, typer.Option(min=0, help="Training images to judge each epoch by.")] = None,
    twin: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the twin's run; reuse its full-precision epochs.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Use torch.compile: faster on long runs; needs g++.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="auto (bfloat16 where it is fast and the recipe allows it), bfloat16 or float32.")
    ] = "auto",
    device: Device = "auto",
    data_dir: DataDir = None,
) -> None:
    """Train a model by a recipe; a stopped run goes on from its last epoch."""
    from robench.cli.progress import train_with_progress
    from robench.data.load import load as load_data
    from robench.engine.prepare import choose_device
    from robench.training.export import export, start
    from robench.training.recipe import load_recipe
    from robench.zoo.add import score

    chosen = load_recipe(recipe)
    if seed is not None:
        chosen = chosen.with_seed(seed)
    chosen = replace(chosen, epochs=epochs or chosen.epochs)
    if hold_out is not None:
        chosen = replace(chosen, hold_out=hold_out)
    folder = out or Path("runs") / chosen.dataset / chosen.name
    data = load_data(chosen.dataset, "train", data_dir)
    trainer = start(chosen, data, folder, choose_device(device), twin, precision=precision, compiled=compiled)
    train_with_progress(trainer, folder / "log.jsonl", messages)
    card = export(trainer, folder, data_dir)
    results.print(f"{card.name}: {score(card)}\nModel: {folder}", soft_wrap=True)
