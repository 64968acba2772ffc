"""A model under test."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from robench.core.types import ModelCard
from robench.engine.blocked import Blocked
from robench.engine.folding import Folded
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
        fingerprint: of its parameters, code, answers and precision; decides whether a stored measurement is its own.
        memory: what several measurements share, such as which images are right without an attack.
    """

    card: ModelCard
    original: Blocked
    exact: Blocked
    gradients: Blocked
    early_stopping: bool
    stored: Mapping[str, StoredWeight]
    fingerprint: str
    memory: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def remembered(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gave the first time that ``key`` was asked for; it lives as long as the model."""
        if key not in self.memory:
            self.memory[key] = compute()
        return self.memory[key]

    @contextmanager
    def stopping_early(self, early: bool) -> Iterator[None]:
        """As long as the block lasts, attacks stop early, or take all of their steps."""
        before = self.exact.early_stopping
        self.exact.early_stopping = self.gradients.early_stopping = early
        try:
            yield
        finally:
            self.exact.early_stopping = self.gradients.early_stopping = before

    def refresh(self) -> None:
        """Let ``exact`` and ``gradients`` follow a change of the original's weights or batch-norm statistics."""
        if isinstance(self.exact.model, Folded):
            self.exact.model.refresh()
