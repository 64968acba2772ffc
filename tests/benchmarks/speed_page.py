"""docs/speed.md: what was measured last on each kind of processor."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from robench.engine.precision import fast_in_bfloat16
from robench.measure.environment import commit_of
from robench.results.markdown import table

FOLDER = Path(__file__).parents[2] / "docs"
PAGE = FOLDER / "speed.md"
KINDS = {"bfloat16": "With native bfloat16", "float32": "Without native bfloat16"}
"""What gradients and training are computed in on that kind of processor -> the heading."""
INSTRUCTIONS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_fp16")
INTRODUCTION = """\
# Speed

Written by `tox run -e bench -- --page`, which measures the section of the processor that it runs on; do not edit. Both
sides of a row ran in one process, one after the other, on the same model and images with the same parameters; the ratio
is the peer's time over robench's. Loading and preparing the model counts in the rows of PGD against torchattacks,
unless the section says otherwise, and in no others. What was found are the robust images at each epsilon, or
the peak memory of the process. Images: the first `ROBENCH_BENCH_IMAGES` of CIFAR-10 where `ROBENCH_DATA` has it, else
of digits.
"""


@dataclass(frozen=True)
class Row:
    """One comparison: ``ours`` and ``theirs`` in seconds."""

    what: str
    ours: float
    peer: str
    theirs: float
    found: str = ""

    @property
    def ratio(self) -> str:
        return f"{self.theirs / self.ours:.2f}"


@dataclass(frozen=True)
class Profile:
    """Where the time of ``what`` goes: its seconds, and (kind of pass, images, best rate in images a second)."""

    what: str
    seconds: float
    passes: list[tuple[str, int, float]]


@dataclass(frozen=True)
class Record:
    """What one run of the benchmarks measured, and where."""

    kind: str
    machine: dict[str, str]
    rows: list[Row]
    profiles: list[Profile] = field(default_factory=list)
    note: str = ""

    def write(self, folder: Path = FOLDER) -> None:
        """Keep it, in place of the last one of its kind."""
        (folder / "speed").mkdir(exist_ok=True)
        (folder / "speed" / f"{self.kind}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def read(folder: Path = FOLDER) -> list[Record]:
    """The last record of each kind."""
    found = []
    for kind in KINDS:
        path = folder / "speed" / f"{kind}.json"
        if path.is_file():
            facts: dict[str, Any] = json.loads(path.read_text())
            facts["rows"] = [Row(**row) for row in facts["rows"]]
            facts["profiles"] = [Profile(**profile) for profile in facts["profiles"]]
            found.append(Record(**facts))
    return found


def this_machine(images: str) -> dict[str, str]:
    """What decides the speed here."""
    processor = torch.cpu.get_capabilities()
    cap = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return {
        "processor": str(processor["cpu_name"]),
        "threads": str(torch.get_num_threads()),
        "instructions": ", ".join(name for name in INSTRUCTIONS if processor.get(name)),
        "torch's kernels": torch.backends.cpu.get_cpu_capability(),
        "oneDNN": f"at most {cap}" if cap else "all that the processor has",
        "bfloat16": "native" if fast_in_bfloat16(torch.device("cpu")) else "emulated: gradients in float32",
        "torch": torch.__version__,
        "images": images,
        "commit": commit_of(FOLDER.parent),
    }


def markdown(records: Sequence[Record]) -> str:
    """The page."""
    return "\n".join([INTRODUCTION, _against_torchattacks(records), *map(_section, records)])


def _against_torchattacks(records: Sequence[Record]) -> str:
    ratios = {r.kind: {row.what: row.ratio for row in r.rows if row.peer == "torchattacks"} for r in records}
    rows = dict.fromkeys(what for kind in ratios.values() for what in kind)
    body = [[what, *(ratios[r.kind].get(what, "") for r in records)] for what in rows]
    return "## Times faster than torchattacks\n\n" + table(["", *(KINDS[r.kind].lower() for r in records)], body)


def _section(record: Record) -> str:
    lines = [f"## {KINDS[record.kind]}\n", *(f"- {name}: {value}" for name, value in record.machine.items()), ""]
    lines += [record.note + "\n"] if record.note else []
    body = [[r.what, f"{r.ours:.3f}", r.peer, f"{r.theirs:.3f}", r.ratio, r.found] for r in record.rows]
    lines.append(table(["what", "robench, s", "peer", "s", "ratio", "found (robench; peer)"], body))
    return "\n".join(lines + [_where_the_time_goes(profile) for profile in record.profiles])


def _where_the_time_goes(profile: Profile) -> str:
    floor = sum(images / rate for _, images, rate in profile.passes)
    body = [[what, str(images), f"{rate:.0f}", f"{images / rate:.1f}"] for what, images, rate in profile.passes]
    return f"""\
### Where the time goes

{profile.what}: {profile.seconds:.1f} s. The floor is {floor:.1f} s, {floor / profile.seconds:.0%} of it: every pass at
the best rate of this machine, over blocks of 8 to 256 images, each on one thread or on all.

{table(["passes", "images", "best rate, images/s", "floor, s"], body)}"""
