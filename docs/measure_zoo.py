"""Print docs/zoo.md: what the zoo's CIFAR-10 models reach, and their twins.

python docs/measure_zoo.py --data-dir DIR --more npz:DIR/cifar10_test_jpeg.npz > docs/zoo.md
"""

import argparse
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch

from robench import zoo
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.loaded import LoadedModel
from robench.engine.prepare import prepare
from robench.engine.verdict import judge, to_pixels
from robench.results.stats import Estimate, paired_difference, wilson

BATCH = 512
CPU = torch.device("cpu")
INTRODUCTION = """\
# What the zoo's CIFAR-10 models reach

Printed by `python docs/measure_zoo.py --data-dir DIR --more npz:FILE`; do not edit. Top-1 accuracy in percent without
noise or attack; behind it the difference to the twin in points, paired by image; intervals are 95% (Wilson's; adjusted
Wald's for differences). How they were trained: [training.md](training.md).
"""


def top1(loaded: LoadedModel, data: Dataset) -> np.ndarray:
    """Which images the model gets right, by its float32 forward pass."""
    model = prepare(loaded, data, CPU).exact
    labels = torch.from_numpy(data.labels)
    parts = (slice(start, start + BATCH) for start in range(0, len(data), BATCH))
    return np.concatenate([judge(model, to_pixels(data.images[part], CPU), labels[part])[0] for part in parts])


def table(data: Dataset) -> str:
    """A markdown table of every model: what it is, accuracy, difference to its twin."""
    lines = [
        "| model | quantizer | epochs | full precision at first | accuracy | minus twin | twin |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    models = {name: zoo.load(name, "cifar10", len(data.classes)) for name in zoo.names()["cifar10"]}
    right = {name: top1(model, data) for name, model in models.items()}
    for name, hits in right.items():
        card = models[name].card
        training = card.training
        epochs = training.get("epochs", "after training")
        if training.get("start"):
            epochs = f"{epochs} from {training['start']}"
        cells = [name, card.quantizer, epochs, training.get("full_precision", "") if card.quantizer != "fp" else ""]
        cells += [f"{int(hits.sum())}: {_percent(wilson(int(hits.sum()), len(hits)))}"]
        cells += [_percent(paired_difference(hits, right[card.twin]), "+") if card.twin else "", card.twin]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _percent(estimate: Estimate, sign: str = "") -> str:
    value, low, high = (100 * share for share in astuple(estimate))
    return f"{value:{sign}z.1f} [{low:{sign}z.1f}, {high:{sign}z.1f}]"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where CIFAR-10 is")
    parser.add_argument("--more", help="further test images, such as npz:FILE")
    arguments = parser.parse_args()
    print(INTRODUCTION, end="")
    sets = [load("cifar10", data_dir=arguments.data_dir)] + ([load(arguments.more)] if arguments.more else [])
    for data in sets:
        print(f"\n## {len(data):,} images of {data.source}\n\n{table(data)}", flush=True)


if __name__ == "__main__":
    main()
