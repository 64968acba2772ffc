"""A card's own measurements as work that can be done again: the same weights, images, conditions and seed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robench import zoo
from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.types import Measurement, ResultCard
from robench.data import DATASETS
from robench.engine.model import ModelUnderTest
from robench.engine.task import Task
from robench.measure.request import Request
from robench.measure.run import open_run


@dataclass(frozen=True, eq=False)
class Again:
    """What a card says, beside the means to see it.

    Attributes:
        card: the card.
        model: the model of which it speaks.
        pairs: each of its measurements, and the task that it is of.
    """

    card: ResultCard
    model: ModelUnderTest
    pairs: tuple[tuple[Measurement, Task], ...]


@contextmanager
def again(
    card: ResultCard,
    *,
    model: str = "",
    dataset: str = "",
    data_dir: Path | None = None,
    device: str = "auto",
    trust: bool = False,
    notify: Callable[[str], None] = lambda notice: None,
    **settings: Any,
) -> Iterator[Again]:
    """Load the model and the images of a card.

    Args:
        card: it is a stranger's: it names a model of the zoo and a registered data set, or the user does.
        model, dataset: as for ``robench evaluate``, in place of what the card names; a factory gets the card's options.
        data_dir, device, trust: as for ``robench evaluate``.
        notify: hears what the user should see.
        **settings: further fields of the request.

    Raises:
        RobenchError: one of them is not here, or is another than the card's.
    """
    spec = model or _model_of(card)
    options: dict[str, Any] = {}
    if zoo.takes_checkpoint(spec):
        options = {**card.model.options, **card.model.training.get("options", {})}
    request = Request(
        models=(spec,),
        options=options,
        dataset=dataset or _dataset_of(card),
        suite=card.suite,
        twin="none",
        n_images=card.data.n,
        data_dir=data_dir,
        device=device,
        gradients="bfloat16" if card.provenance.get("gradients") == "bfloat16" else "float32",
        verdicts="runtime" if "runtime" in card.provenance.get("verdicts", "") else "torch",
        trust=trust,
        **settings,
    )
    with open_run(request, notify) as run:
        (tested,) = run.requested
        if run.data.fingerprint != card.data.fingerprint:
            raise RobenchError(
                f"the card is of other images than {run.data.name} here ({run.data.source}): their fingerprints are "
                f"{short(card.data.fingerprint[:12])} and {run.data.fingerprint[:12]}; give its own with --dataset."
            )
        if tested.card.sha256 != card.model.sha256:
            raise RobenchError(
                f"the card is of other weights than {tested.card.name} here: their sha256 are "
                f"{short(card.model.sha256[:12])} and {tested.card.sha256[:12]}; name its own with --model."
            )
        tasks = {(item.task.condition, item.task.draw): item.task for item in run.work}
        pairs = ((m, tasks[m.condition, m.draw]) for m in card.measurements)
        yield Again(card, tested, tuple(pairs))


def _model_of(card: ResultCard) -> str:
    """The model of the zoo that a card names; a stranger's card names nothing that would be run."""
    folder = zoo.find(card.model.name, card.data.name)
    if folder is None:
        raise RobenchError(
            f"the card is of {short(card.model.name)}, which is no model of the zoo for {short(card.data.name)}; name "
            "the model with --model."
        )
    return f"{card.data.name}/{card.model.name}"


def _dataset_of(card: ResultCard) -> str:
    if card.data.name not in DATASETS:
        raise RobenchError(
            f"the card is of images of {short(card.data.name)}, which is no registered data set; name them with "
            "--dataset."
        )
    return card.data.name
