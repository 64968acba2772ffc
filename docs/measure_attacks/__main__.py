"""Print docs/optimality.md: how near to the best known each attack comes, at equal numbers of passes.

python docs/measure_attacks --data-dir DIR [--images 500] [--passes 400] [--keep FOLDER] > docs/optimality.md
"""

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from attacks import PEERS, ROUNDS, Found, finely, of_peer, of_robench, protocol
from optimality import best_of, optimality

from robench import zoo
from robench.core.types import Condition
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.model import ModelUnderTest
from robench.engine.precision import reproducibly
from robench.engine.prepare import prepare

CPU = torch.device("cpu")
MODELS = {"fp_resnet20": 4, "twn_resnet20": 4, "bnn_resnet20": 16, "at_fp_resnet20": 32}
"""Name -> the largest epsilon that is tried, of 255."""
LENDERS = {"fp_resnet20": "twn_resnet20", "at_fp_resnet20": "at_twn_resnet20"}
"""Whose adversarial images are tried on a network; elsewhere its twin's."""
NEAR = 1.05
INTRODUCTION = """\
# How good are the attacks?

Printed by `python docs/measure_attacks --data-dir DIR`; do not edit.

*Optimality* is AttackBench's (Cinà et al. 2025, arXiv:2404.19460): for each image the smallest perturbation that any
attack of the table found is the best known; an attack that finds it for every image has 1, one that finds nothing 0. In
between it is 1 minus the area between the two curves of robust accuracy against epsilon, as a share of all the area
above the best one.

Every attack may have the same number of passes for an image, forward and backward ones counted, and whatever fools the
model in one of them counts. Attacks of a fixed budget look for the smallest epsilon by halving what is open, {rounds}
times. *robench protocol* is all gradient attacks of `robench-adv` in Linf with its own epsilons and steps, one after
the other and each on all images, with the passes that this takes.
"""
Work = tuple[str, Callable[[], Found]]
"""The name of an attack, and how to run it."""


def subject_of(name: str, data: Dataset, lender: str) -> ModelUnderTest:
    """A network of the zoo as it is measured, and the one that lends it adversarial images."""
    subject, other = (prepare(zoo.load(one, data.name, 10), data, CPU, "auto") for one in (name, lender))
    return replace(subject, source=other)


def runs(subject: ModelUnderTest, data: Dataset, largest: float, passes: int) -> Iterator[Work]:
    """Every attack; those of robench first."""
    for name, conditions in ours(largest, max(passes // (2 * ROUNDS), 1)).items():
        yield name, partial(of_robench, conditions, subject, data, largest)
    for name, peer in PEERS.items():
        yield name, partial(of_peer, peer, subject, data, largest, passes)


def ours(largest: float, steps: int) -> dict[str, list[Condition]]:
    """The protocol, and its attacks by the network's own gradients with so many steps at each epsilon."""
    found = {"robench protocol": list(protocol(largest))}
    for condition in protocol(largest):
        if condition.name == "fmn":
            found["robench FMN"] = [finely(condition, largest, ROUNDS * steps)]
        if condition.name == "apgd" and not condition.setting("via"):
            loss = condition.setting("loss", "cross-entropy")
            found[f"robench APGD, {loss}"] = [finely(condition, largest, steps)]
        if condition.name == "apgd_targeted":
            targets = condition.setting("targets")
            fewer = finely(condition, largest, max(steps // int(targets), 1))
            found[f"robench APGD-T, {targets} targets (MALT)"] = [fewer]
    return found


def kept(name: str, run: Callable[[], Found], file: Path) -> Found:
    """What an attack found, from a file where it was run before."""
    if not file.is_file():
        found = run()
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **found._asdict())
    with np.load(file) as arrays:
        found = Found(arrays["distances"], arrays["passes"], float(arrays["seconds"]))
    print(f"{name}: {found.seconds:.0f} s", file=sys.stderr)
    return found


def table(found: dict[str, Found]) -> str:
    """A markdown table of attacks, the best first."""
    best = best_of(one.distances for one in found.values())
    attacked = best > 0
    lines = ["| attack | optimality | near the best | passes | seconds |", "| --- | --- | --- | --- | --- |"]
    for name, one in sorted(found.items(), key=lambda item: -optimality(item[1].distances, best)):
        near = float((one.distances <= NEAR * best)[attacked].mean()) if attacked.any() else float("nan")
        spent = one.passes[attacked].mean() if attacked.any() else 0.0
        lines.append(
            f"| {name} | {optimality(one.distances, best):.3f} | {near:.0%} | {spent:,.0f} | {one.seconds:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 is; without it the digits are attacked")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--passes", type=int, default=400, help="of each image, for each attack")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--keep", type=Path, default=Path("runs/optimality"), help="folder of what was found before")
    arguments = parser.parse_args()
    data = load("cifar10", data_dir=arguments.data_dir) if arguments.data_dir else load("digits")
    data = data.first(arguments.images)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchattacks", "foolbox", "adv-lib"))
    print(INTRODUCTION.format(rounds=ROUNDS))
    print(f"Images: the first {len(data)} of {data.source}. {arguments.passes} passes an image. {versions}; ", end="")
    print(f"{torch.get_num_threads()} threads of {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}.")
    print(f"*Near the best*: images whose perturbation is at most {NEAR} times as large as the best known.")
    for model in arguments.models:
        largest = MODELS[model] / 255
        folder = arguments.keep / f"{data.name}-{len(data)}-{arguments.passes}" / model
        with reproducibly():
            subject = subject_of(model, data, LENDERS.get(model, "fp_resnet20"))
            found = {
                name: kept(f"{model}, {name}", run, folder / f"{name.replace(' ', '_').replace(',', '')}.npz")
                for name, run in runs(subject, data, largest, arguments.passes)
            }
        print(f"\n## {model}\n\nEpsilons up to {MODELS[model]}/255.\n\n{table(found)}")


if __name__ == "__main__":
    main()
