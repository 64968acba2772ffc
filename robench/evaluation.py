"""From models, data and a suite to result cards: the plan, what is stored of it already, and the rest of the work."""

import hashlib
import math
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.types import Condition, DataCard, Measurement, ResultCard, Suite
from robench.data.base import Dataset
from robench.data.load import load as load_data
from robench.models.blocked import Blocked, settled
from robench.models.folding import Folded, agrees, fold_batch_norm
from robench.models.precision import BFloat16, choose_precision
from robench.models.surrogate import straight_through
from robench.runner import Progress, Task, measure, protocol, recalibrates
from robench.store import Scope, Store
from robench.subject import Subject, to_pixels

DEFAULT, FALLBACK = "cifar10", "digits"
PROBE = 64
AGREEMENT = 0.9
BLOCKS = (8, 16, 32)
"""Images in a block where each core computes one."""
LARGE = 64 * 64
"""Pixels of an image; more of them keep a core busy in small blocks, and memory is what is short."""
LARGE_BLOCKS = {"cpu": (8,), "cuda": (64,)}
BATCH, LARGE_BATCH = 1024, 128
"""Images held at once."""


def choose_data(spec: str, models: Sequence[str], data_dir: Path | None) -> tuple[Dataset, str]:
    """The data set that was asked for; for ``auto`` the models' own, or digits where that cannot be had.

    Returns:
        The data, and a notice for the user ("" if there is none).
    """
    if spec != "auto":
        return load_data(spec, "test", data_dir), ""
    own = set.intersection(*({*zoo.benchmarks(model)} for model in models)) if models else set()
    preferred = sorted(own)[0] if own else DEFAULT
    try:
        return load_data(preferred, "test", data_dir), ""
    except RobenchError as error:
        if data_dir is not None or FALLBACK not in own or preferred == FALLBACK:
            raise
        return load_data(FALLBACK), f"{error} Going on with {FALLBACK} and its models of the same names."


def choose_device(name: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda``."""
    if name not in ("auto", "cpu", "cuda"):
        raise RobenchError(f"no device is named {name!r}; choose auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise RobenchError("there is no CUDA device here; use --device cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def prepare(
    loaded: zoo.LoadedModel,
    data: Dataset,
    device: torch.device,
    gradients: str = "float32",
    patient: bool = False,
) -> Subject:
    """Put a model on its device and try it on the first images.

    Args:
        loaded: the model.
        data: its first images are tried.
        device: where it computes.
        gradients: precision of the gradients that attacks take: auto, bfloat16 or float32.
        patient: attacks take all of their steps, also on images that are out of reach.

    Raises:
        RobenchError: it does not take these images, its output is no [N, classes] of finite logits, or there is no such
            precision.
    """
    name = loaded.card.name
    precision = choose_precision(gradients, device)
    sizes = LARGE_BLOCKS[device.type] if is_large(data) else None
    model = Blocked(loaded.module.to(device).float().requires_grad_(False), sizes)
    x = to_pixels(data.images[:PROBE], device)
    shape = list(x.shape)
    try:
        with torch.inference_mode():
            logits = model(x)
    except (RuntimeError, ValueError, TypeError) as error:
        raise RobenchError(f"{name} fails on images {shape}: {str(error).splitlines()[0]}") from error
    if logits.dim() != 2 or logits.shape[1] < len(data.classes):
        raise RobenchError(
            f"{name} gives {list(logits.shape)} for images {shape}; logits must be [{len(x)}, {len(data.classes)}]."
        )
    if not logits.isfinite().all():
        raise RobenchError(f"{name} gives logits that are not finite on clean images; check its weights.")
    guesses = hashlib.sha256(logits.argmax(1).cpu().numpy().tobytes()).hexdigest()
    fingerprint = f"{zoo.parameters_sha256(loaded.module)}:{guesses}:{precision}" + (":patient" if patient else "")
    exact = _folded(model, x, sizes or BLOCKS)
    fast = _with_gradients(exact, x, precision)
    return Subject(loaded.card, model, exact, fast, patient, loaded.lowbit, fingerprint)


def _with_gradients(exact: Blocked, x: torch.Tensor, precision: str) -> Blocked:
    """What attacks differentiate: with surrogate gradients where the model has steps, else in the chosen precision."""
    surrogate = straight_through(exact.model) if isinstance(exact.model, Folded) else None
    if surrogate is not None:
        return settled(Blocked(surrogate, exact.sizes, exact.workers), x)
    return _in_bfloat16(exact, x) if precision == "bfloat16" else exact


def _in_bfloat16(exact: Blocked, x: torch.Tensor) -> Blocked:
    """The model in bfloat16; as it is where it fails there, or guesses otherwise on more than a few images."""
    fast = Blocked(BFloat16(exact.model), exact.sizes, exact.workers, exact)
    try:
        with torch.inference_mode():
            same = (fast(x).argmax(1) == exact(x).argmax(1)).float().mean()
    except (RuntimeError, ValueError, TypeError):
        return exact
    return settled(fast, x) if same >= AGREEMENT else exact


def _folded(model: Blocked, x: torch.Tensor, sizes: tuple[int, ...]) -> Blocked:
    """Without batch norm, and on a CPU in blocks of several sizes, one on each core: see Folded."""
    folded = fold_batch_norm(model.model)
    if folded is None or not agrees(folded, model.model, x):
        return model
    if model.device.type == "cuda":
        return Blocked(folded, model.sizes)
    return settled(Blocked(folded, sizes, torch.get_num_threads()), x)


def is_large(data: Dataset) -> bool:
    """Whether the images have so many pixels that few of them are held at once."""
    return math.prod(data.images.shape[2:]) > LARGE


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Models, images, a suite and the store that remembers.

    Attributes:
        subjects: every model that is measured, twins among them.
        data: exactly the images that are evaluated.
        batch_size: images held at once, None for as many as their size allows; no score depends on it.
        calibration: training images, for conditions that recalibrate batch norm.
    """

    subjects: tuple[Subject, ...]
    data: Dataset
    suite: Suite
    store: Store
    batch_size: int | None
    calibration: Dataset | None = None

    def tasks(self) -> list[Task]:
        """All measurements in order: a condition for every model before the next, so that its images are made once."""
        size = self.batch_size or (LARGE_BATCH if is_large(self.data) else BATCH)
        return [
            Task(subject, self.data, condition, draw, self.suite.seed, size, self.calibration)
            for condition in self.suite.conditions
            for draw in range(condition.draws)
            for subject in self.subjects
        ]

    def _scope(self, task: Task) -> Scope:
        data = self.data.fingerprint
        if self.calibration is not None and recalibrates(task.condition):
            data += f"+{self.calibration.fingerprint}"
        model = f"{protocol(task.condition)}:{task.subject.fingerprint}"
        return Scope(model, data, self.suite.seed)

    def stored(self, task: Task) -> Measurement | None:
        """What an earlier run measured, or None."""
        return self.store.get(self._scope(task), task.condition, task.draw)

    def pending(self) -> list[Task]:
        """The tasks that no run has done yet."""
        return [task for task in self.tasks() if self.stored(task) is None]

    def run(
        self, tasks: Iterable[Task], progress: Callable[[Task], Progress], done: Callable[[Task, Measurement], None]
    ) -> None:
        """Measure the tasks, each stored before the next begins."""
        for task in tasks:
            measurement = measure(task, progress(task))
            self.store.put(self._scope(task), measurement)
            done(task, measurement)

    def card(self, subject: Subject, twin: Subject | None) -> ResultCard:
        """The result card of one model, from the store."""
        found = (self.stored(task) for task in self.tasks() if task.subject is subject)
        data = DataCard(self.data.name, self.data.source, len(self.data), self.data.fingerprint)
        return ResultCard(
            subject.card,
            self.suite,
            data,
            tuple(measurement for measurement in found if measurement is not None),
            (twin.card.name, twin.card.sha256) if twin else ("", ""),
            provenance(subject),
        )


def cost(condition: Condition) -> int:
    """Rough work of one measurement in forward passes, for the time that is left."""
    if condition.kind != "attack":
        return 1
    steps = dict(condition.params).get("steps", 1)
    return 2 + 3 * int(steps)


def provenance(subject: Subject) -> dict[str, str]:
    """Versions, commit, machine, time, and what attacks took gradients in."""
    device = subject.model.device
    return {
        "robench": version("robench"),
        "commit": commit_of(Path(__file__).parents[1]),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "gradients": "bfloat16" if subject.gradients.slack else "float32",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit_of(checkout: Path) -> str:
    """The commit that is checked out, with a + where files differ from it; "" outside robench's own checkout."""
    if _git(checkout, "rev-parse", "--show-toplevel") != str(checkout):
        return ""
    return _git(checkout, "rev-parse", "--short=12", "HEAD") + ("+" if _git(checkout, "status", "--porcelain") else "")


def _git(folder: Path, *words: str) -> str:
    try:
        result = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
