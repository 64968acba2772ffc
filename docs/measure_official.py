"""Print docs/official.md: the official AutoAttack beside the protocol of robench-adv, on the networks of the zoo.

python docs/measure_official.py [--data-dir DIR] [--images 100] [--models NAME ...] [--store FILE] > docs/official.md
"""

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from robench import suites, zoo
from robench.core.types import CLEAN, Bits, Condition, ModelCard, ResultCard, Suite
from robench.measure.request import Request
from robench.measure.run import open_run

EPSILON = Fraction(1, 255)
"""Of networks that were trained without attacks: about half of the images stand there. Others have that of training."""
INTRODUCTION = """\
# The official AutoAttack beside ours

Printed by `python docs/measure_official.py --data-dir DIR`; do not edit.

`autoattack:standard` is the official code (Croce and Hein 2020): APGD-CE, APGD-T, FAB-T and Square with 5,000 queries,
given each network as it was loaded. *Protocol* is all Linf attacks of `robench-adv` within the same budget. Epsilon is
1/255, or that of adversarial training. A percentage is the share of the images that stand; *only X* counts images that
fell to X alone. The protocol takes all of its attacks on all images, the official cascade each on what still stands.
"""


class Row(NamedTuple):
    """What a network withstands: bool [N] each, and the seconds that it took."""

    name: str
    epsilon: Fraction
    clean: Bits
    protocol: Bits
    official: Bits
    seconds: tuple[float, float]
    images: str


def epsilon_of(card: ModelCard) -> Fraction:
    """The budget at which a network is attacked."""
    return Fraction(str(card.training.get("adversarial") or EPSILON))


def suite_at(epsilon: Fraction, images: int) -> Suite:
    """The protocol's attacks within one budget, and the official one."""
    level = float(epsilon)
    protocol = (c for c in suites.load("robench-adv").conditions if c.kind == "attack" and c.level == level)
    ours = [replace(c, grid=()) for c in protocol if c.setting("norm", "linf") == "linf"]
    official = Condition("attack", "autoattack:standard", level, (("time_limit_s", 7200),))
    return Suite("official", 1, images, 0, (CLEAN, *ours, official))


def measured(name: str, arguments: argparse.Namespace) -> Row:
    """One network, with its twin to lend its gradients; what is in the store is not measured again."""
    dataset = "cifar10" if arguments.data_dir else "digits"
    folder = zoo.find(name, dataset)
    assert folder is not None
    epsilon = epsilon_of(zoo.read_card(folder))
    suite = suite_at(epsilon, arguments.images)
    request = Request(
        (name,), dataset, suite, n_images=arguments.images, data_dir=arguments.data_dir, store=arguments.store
    )
    with open_run(request, lambda notice: print(notice, file=sys.stderr)) as run:
        (subject,) = run.requested
        run.measure(item for item in run.pending() if item.task.model is subject)
        run.check_failures()
        return row_of(run.card(subject), epsilon)


def row_of(card: ResultCard, epsilon: Fraction) -> Row:
    """What its card says."""
    *ours, official = (found for c in card.suite.conditions[1:] for found in card.of(c))
    applied = [found for found in ours if found.total]
    standing: Bits = np.logical_and.reduce([found.top1 for found in applied])
    seconds = sum(found.seconds for found in applied), official.seconds
    images = f"{card.data.n} of {card.data.name}, {card.data.source}"
    return Row(card.model.name, epsilon, card.of(CLEAN)[0].top1, standing, official.top1, seconds, images)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a markdown table."""
    columns = ("clean", "protocol", "official", "only official", "only protocol", "s protocol", "s official")
    yield f"| network | epsilon | {' | '.join(columns)} |"
    yield "| --- " * 9 + "|"
    for row in rows:
        shares = " | ".join(f"{100 * outcomes.mean():.1f}" for outcomes in (row.clean, row.protocol, row.official))
        alone = f"{int((row.protocol & ~row.official).sum())} | {int((row.official & ~row.protocol).sum())}"
        times = " | ".join(f"{seconds:,.0f}" for seconds in row.seconds)
        yield f"| {row.name} | {row.epsilon} | {shares} | {alone} | {times} |"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 is; without it the digits are attacked")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--models", nargs="+", default=[])
    parser.add_argument("--store", type=Path, default=Path("runs/official.sqlite"))
    arguments = parser.parse_args()
    names = arguments.models or zoo.names()["cifar10" if arguments.data_dir else "digits"]
    rows = []
    for name in names:
        rows.append(measured(name, arguments))
        print(*list(table(rows))[-1:], file=sys.stderr)
    print(INTRODUCTION)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "pyautoattack"))
    print(f"Images: the first {rows[0].images}; seed 0. {versions}; ", end="")
    print(f"{torch.get_num_threads()} threads of {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}.\n")
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
