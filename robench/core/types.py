"""What travels between the packages: conditions, measurements, model cards, suites and result cards."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt
from annotated_types import Interval, Len

# What files may say; robench.core.gate holds them to it.
MOST_CLASSES, MOST_IMAGES, LARGEST_SEED, LARGEST_OPTION = 100_000, 10**8, 2**63 - 1, 1024
Value = int | float | str | bool
Text = Annotated[str, Len(0, 10_000)]
Line = Annotated[str, Len(0, 500)]
Count = Annotated[int, Interval(ge=0, le=10**15)]
Classes = Annotated[int, Interval(ge=0, le=MOST_CLASSES)]
Seed = Annotated[int, Interval(ge=0, le=LARGEST_SEED)]
Positive = Annotated[float, Interval(gt=0, le=1e6)]
Options = dict[str, Annotated[int | float, Interval(ge=0, le=LARGEST_OPTION)]]
Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


class Blocks(Protocol):
    """8-bit images [N, C, H, W] that are had block by block: an array, or something that makes them when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: slice, /) -> Images:
        """uint8 [n, C, H, W]."""
        ...


@dataclass(frozen=True)
class Condition:
    """One thing to measure.

    Attributes:
        kind: name of a registered kind (see ``robench.core.kinds``).
        name: of the plug-in, in its kind's registry.
        level: severity 1..5, epsilon on the [0, 1] pixel scale, or the distortion's level; None where it has none.
        params: further settings, sorted by name.
        grid: epsilons that are searched together with this one (see ``robench.attacks.search``); empty for this one
            alone.
        draws: how often it is repeated with other random numbers; not part of its identity.
        facts: what its kind knows of it, sorted by name, such as the amount that a severity stands for, or whether an
            attack uses gradients. Written into cards, which are read where no plug-in is at hand; not part of its
            identity.
    """

    kind: str
    name: str
    level: float | None = None
    params: tuple[tuple[str, Value], ...] = ()
    draws: int = field(default=1, compare=False)
    grid: tuple[float, ...] = ()
    facts: tuple[tuple[str, Value], ...] = field(default=(), compare=False)

    def setting(self, name: str, default: Value = "") -> Value:
        """One of its ``params``, or the default."""
        return dict(self.params).get(name, default)

    def fact(self, name: str, default: Value = "") -> Value:
        """One of its ``facts``, or the default."""
        return dict(self.facts).get(name, default)

    @property
    def key(self) -> str:
        """Stable text that names it, such as ``attack/pgd/0.0313725?steps=20``."""
        parts = [self.kind, self.name] if self.level is None else [self.kind, self.name, f"{self.level:.6g}"]
        grid = (("grid", ",".join(f"{level:.6g}" for level in self.grid)),) if self.grid else ()
        settings = "&".join(f"{name}={value}" for name, value in self.params + grid)
        return "/".join(parts) + (f"?{settings}" if settings else "")

    def matches(self, patterns: str) -> bool:
        """Whether a shell pattern such as ``attack/*`` or ``*/gaussian`` names it; its settings need not be written.

        There may be several patterns, with commas between them: ``clean,attack/*``.
        """
        key = self.key
        path = key.partition("?")[0]
        forms = [form for pattern in patterns.split(",") for form in (pattern, f"{pattern}/*")]
        # A key has commas between the epsilons of its grid, and names its condition as well.
        return any(fnmatchcase(text, form) for text in (key, path) for form in (*forms, patterns))


CLEAN = Condition("clean", "clean")
"""The images as they are."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a condition gave on one model and one draw.

    Attributes:
        top1, top5: bool [N], in the order of the images; both empty where the condition does not apply.
        rounded: of an attack, top1 with its images rounded to 8 bits; empty otherwise.
        distance: of an attack at one epsilon, float32 [N]: the mean absolute difference of each such image from the
            original, in pixel levels (of 255); empty otherwise.
        flags: reasons to doubt the figure, or why there is none.
        seconds: wall time.
        numbers: what else was counted, sorted by name, such as the bits that flipped.
        path: (changes so far, images that are right) of a measurement that goes step by step; empty otherwise.
        witness: arrays by name that show what fell, where they were asked for; what they are is the kind's. They are
            kept in a file of their own, not in stores and cards.
    """

    condition: Condition
    draw: int
    top1: Bits
    top5: Bits
    flags: tuple[str, ...] = ()
    seconds: float = 0.0
    rounded: Bits = field(default_factory=lambda: np.zeros(0, bool))
    distance: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    numbers: tuple[tuple[str, int], ...] = ()
    path: tuple[tuple[int, int], ...] = ()
    witness: Mapping[str, npt.NDArray] = field(default_factory=dict, repr=False)

    @property
    def correct(self) -> int:
        """Images whose first guess is right."""
        return int(self.top1.sum())

    @property
    def correct_top5(self) -> int:
        """Images whose label is among the first five guesses."""
        return int(self.top5.sum())

    @property
    def total(self) -> int:
        """Images that were judged; 0 where the condition does not apply."""
        return len(self.top1)


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model before it is measured.

    Attributes:
        name: as the user types it.
        dataset: the benchmark set it was made for; empty if unknown.
        architecture, quantizer: registry names where it is ours, else how it was given.
        options: keyword arguments of the architecture, such as ``width``.
        bits: of a quantized weight; 32 for full precision.
        weights, stored_bytes: number of weights in convolutions and linear layers, and size of the file.
        weights_in_all: numbers in the parameters and buffers that could be weights, in a model of one's own; of
            these ``weights`` were seen in convolutions and linear layers; 0 where it was not looked at.
        bits_per_weight: of the whole file: 8 stored_bytes / weights.
        sha256: of the weights file; of parameters, code and answers where there is no file.
        twin: name of the full-precision model with the same architecture and training; empty if there is none.
        training: how it was made (recipe, epochs, data, seed), free-form.
        test: clean accuracy as it was shipped: correct, total, source and fingerprint of the images.
        paper: source of the method.
        source: where the weights come from, with the revision, or the file with its digest; empty if they were trained
            by the recipe.
    """

    name: Line
    dataset: Line = ""
    architecture: Line = ""
    quantizer: Line = "fp"
    options: Options = field(default_factory=dict)
    bits: Annotated[int, Interval(ge=1, le=32)] = 32
    num_classes: Classes = 0
    mean: Annotated[tuple[float, ...], Len(1, 3)] = (0.0,)
    std: Annotated[tuple[Positive, ...], Len(1, 3)] = (1.0,)
    weights: Count = 0
    stored_bytes: Count = 0
    bits_per_weight: Annotated[float, Interval(ge=0, le=1e6)] = 0.0
    sha256: Line = ""
    weights_in_all: Count = 0
    twin: Line = ""
    training: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    paper: Text = ""
    source: Line = ""

    def with_size(self, weights: int, stored_bytes: int) -> "ModelCard":
        """The card with the number of weights, the bytes that store them, and the bits per weight (0 without any)."""
        bits = round(8 * stored_bytes / weights, 3) if weights else 0.0
        return replace(self, weights=weights, stored_bytes=stored_bytes, bits_per_weight=bits)


@dataclass(frozen=True)
class Suite:
    """A versioned, ordered set of conditions with the number of images and the seed.

    Attributes:
        part: what was changed or left out of the suite of that name and version, such as
            ``seed=1&conditions=attack/*``; empty for the whole suite.
        twins: quantizer of the networks that low-bit ones are compared with; those in full precision where it is empty.
    """

    name: str
    version: int
    n_images: int
    seed: int
    conditions: tuple[Condition, ...]
    part: str = ""
    twins: str = ""

    def with_seed(self, seed: int) -> "Suite":
        """The suite with another seed."""
        return self if seed == self.seed else replace(self._but("seed", seed), seed=seed)

    def with_images(self, n: int, available: int) -> "Suite":
        """The suite on the first ``n`` of the ``available`` images; fewer than its own number are a part of it."""
        return self._but("n_images", n) if n < min(self.n_images, available) else self

    def select(self, patterns: str) -> "Suite":
        """The suite with only the conditions that match (see ``Condition.matches``)."""
        chosen = tuple(c for c in self.conditions if c.matches(patterns))
        if len(chosen) == len(self.conditions):
            return self
        return replace(self._but("conditions", patterns), conditions=chosen)

    def _but(self, name: str, value: Value) -> "Suite":
        return replace(self, part="&".join(filter(None, [self.part, f"{name}={value}"])))


@dataclass(frozen=True)
class DataCard:
    """Which images were evaluated.

    Attributes:
        preparation: how pixels and labels came out of what was given, such as "shorter side to 256 pixels (bilinear),
            central 224x224"; empty where they were taken as they are.
    """

    name: Line
    source: Line
    n: Annotated[int, Interval(ge=1, le=MOST_IMAGES)]
    fingerprint: Line
    preparation: Text = ""


@dataclass(frozen=True, eq=False, repr=False)
class ResultCard:
    """Model card, suite, data and measurements with their provenance: the one source of every table.

    Attributes:
        twin: name and sha256 of the twin, both empty if there is none.
        provenance: versions, commit, machine, time.
        twin_card: the twin's own result card, where it was measured in the same call; not written with this one.
        standing: how far a board has checked it (see ``robench.results.standing``); not written with it.
    """

    model: ModelCard
    suite: Suite
    data: DataCard
    measurements: tuple[Measurement, ...]
    twin: tuple[str, str] = ("", "")
    provenance: dict[str, str] = field(default_factory=dict)
    twin_card: "ResultCard | None" = None
    standing: str = "self-reported"

    def __repr__(self) -> str:
        """In one line."""
        clean = next((m for m in self.measurements if m.condition == CLEAN), None)
        facts = [
            f"{self.data.n} images of {self.data.name}",
            f"{self.suite.name} version {self.suite.version}{f' ({self.suite.part})' if self.suite.part else ''}",
            f"{len(self.measurements)} measurements",
            *([f"clean {clean.correct}/{clean.total}"] if clean else []),
            *([f"twin {self.twin[0]}"] if self.twin[0] else []),
        ]
        return f"<{type(self).__name__} {self.model.name}: {', '.join(facts)}>"

    def of(self, condition: Condition) -> list[Measurement]:
        """The measurements of one condition, by draw."""
        return list(self._by_condition.get(condition, ()))

    @cached_property
    def _by_condition(self) -> dict[Condition, list[Measurement]]:
        found: dict[Condition, list[Measurement]] = {}
        for measurement in sorted(self.measurements, key=lambda m: m.draw):
            found.setdefault(measurement.condition, []).append(measurement)
        return found
