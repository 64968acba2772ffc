"""A model under test."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from robench.core.types import ModelCard
from robench.engine.blocked import Blocked
from robench.engine.folding import Folded
from robench.engine.smooth import smoothed
from robench.quantizers.stored import StoredWeight

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ModelUnderTest:
    """A model as it is measured.

    Attributes:
        card: what is known of it.
        original: pixels in [0, 1] -> logits, in blocks, as it was loaded.
        exact: the same function in float32, with batch norm folded where that can be; every verdict is its own.
        gradients: the same again, perhaps in bfloat16; attacks take their gradients from it.
        early_stopping: attacks leave images alone that they are not going to fool.
        stored: how its weights are stored, by state-dict name of ``original.model``.
        sealed: why distortions and faults cannot reach its weights; "" where they can.
        no_gradient: why attacks get no gradient from it; "" where they do.
        rival: the same network computed by the other of torch and the runtime that it ships with, to which verdicts
            are held; None where there is only torch.
        source: the twin, or else the model of which this one is the twin: gradient attacks make their images on it
            where this model passes no gradient, or where a condition asks for that; None where there is none.
        random: two forward passes on the same images differ.
        fingerprint: of its parameters, code, answers and precision; decides whether a stored measurement is its own.
        second_gradients: attacks take their gradients from this one as well, on images that withstand the first; None
            where the model has one gradient (see ``robench.engine.gradients``).
        memory: what several measurements share, such as which images are right without an attack.
    """

    card: ModelCard
    original: Blocked
    exact: Blocked
    gradients: Blocked
    early_stopping: bool
    stored: Mapping[str, StoredWeight]
    fingerprint: str
    sealed: str = ""
    no_gradient: str = ""
    rival: Blocked | None = None
    source: "ModelUnderTest | None" = None
    random: bool = False
    second_gradients: Blocked | None = None
    memory: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def remembered(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gave the first time that ``key`` was asked for; it lives as long as the model."""
        if key not in self.memory:
            self.memory[key] = compute()
        return self.memory[key]

    @property
    def in_torch(self) -> Blocked:
        """``exact``, or torch's copy of it where verdicts are those of another runtime."""
        return self.rival if self.rival is not None and hasattr(self.exact.model, "runtime") else self.exact

    def smooth(self) -> Blocked | None:
        """A copy without signs and roundings; None where the model has none, or cannot be traced."""
        return self.remembered("smooth", lambda: smoothed(self.exact))

    def identity(self, *, gradients: bool, twin: bool = False) -> str:
        """What decides its outcomes: its fingerprint, and where gradients are the twin's, that of the twin.

        Args:
            gradients: some are needed.
            twin: those of the twin are asked for.
        """
        lent = gradients and (self.no_gradient or twin) and self.source
        return f"{self.fingerprint}:from:{self.source.fingerprint}" if lent and self.source else self.fingerprint

    @contextmanager
    def stopping_early(self, early: bool) -> Iterator[None]:
        """As long as the block lasts, attacks stop early, or take all of their steps."""
        forms = [form for form in (self.exact, self.gradients, self.second_gradients) if form is not None]
        before = self.exact.early_stopping
        for form in forms:
            form.early_stopping = early
        try:
            yield
        finally:
            for form in forms:
                form.early_stopping = before

    def refresh(self) -> None:
        """Let ``exact`` and ``gradients`` follow a change of the original's weights or batch-norm statistics."""
        if isinstance(self.exact.model, Folded):
            self.exact.model.refresh()
