"""The Python face: load a model, evaluate models, and the run behind both the face and the command line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from robench import suites, zoo
from robench.core.errors import RobenchError
from robench.core.types import ResultCard
from robench.data.base import Dataset
from robench.data.load import load as load_data
from robench.evaluation import Evaluation, choose_data, choose_device, prepare
from robench.runner import recalibrates, validate
from robench.store import Store
from robench.subject import Subject

CALIBRATION = 500
"""Training images on which batch norm is recalibrated."""

Model = str | nn.Module | zoo.LoadedModel


@dataclass(frozen=True)
class Request:
    """What the user asked for; None leaves a choice to the suite, "auto" to robench. Fields as in ``evaluate``."""

    models: tuple[Model, ...]
    dataset: str = "auto"
    suite: str = "robench-v1"
    twin: str = "auto"
    conditions: str = "*"
    n_images: int | None = None
    seed: int | None = None
    batch_size: int | None = None
    data_dir: Path | None = None
    checkpoint: Path | None = None
    device: str = "auto"
    gradients: str = "auto"
    patient: bool = False
    store: Path | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """An evaluation that is ready to go on, and who is whose twin in it."""

    evaluation: Evaluation
    requested: tuple[Subject, ...]
    twins: dict[Subject, Subject]

    def card(self, subject: Subject) -> ResultCard:
        """The result card of one subject, from what is measured so far."""
        return self.evaluation.card(subject, self.twins.get(subject))


@contextmanager
def open_run(request: Request, notify: Callable[[str], None]) -> Iterator[Run]:
    """Load data, models and twins, and open the store for as long as the block lasts.

    Args:
        request: what to measure.
        notify: gets sentences that the user should see, such as which data set is used instead of a missing one.

    Raises:
        RobenchError: anything that the request names cannot be had, or does not fit.
    """
    suite = suites.load(request.suite)
    if request.seed is not None:
        suite = suite.with_seed(request.seed)
    suite = suite.select(request.conditions)
    if not suite.conditions:
        raise RobenchError(
            f"no condition of {suite.name} matches {request.conditions!r}; try 'attack/*' or '*/gaussian'."
        )
    for condition in suite.conditions:
        validate(condition)
    names = [model for model in request.models if isinstance(model, str)]
    data, notice = choose_data(request.dataset, names, request.data_dir)
    if notice:
        notify(notice)
    calibration = None
    if any(map(recalibrates, suite.conditions)):
        spec = data.name if request.dataset == "auto" else request.dataset
        training = load_data(spec, "train", request.data_dir)
        calibration = training.first(min(CALIBRATION, len(training)))
    data = data.first(request.n_images if request.n_images is not None else min(suite.n_images, len(data)))
    device = choose_device(request.device)
    loaded = [_load(model, data, request.checkpoint) for model in dict.fromkeys(request.models)]
    everyone = list(loaded)
    twins = {}
    for model in loaded:
        twin = _twin(model, everyone, data, request.twin)
        if twin is not None:
            twins[model] = twin
            everyone += [] if twin in everyone else [twin]
    subjects = {model: prepare(model, data, device, request.gradients, request.patient) for model in everyone}
    store = Store(request.store)
    try:
        evaluation = Evaluation(tuple(subjects.values()), data, suite, store, request.batch_size, calibration)
        pairs = {subjects[model]: subjects[twin] for model, twin in twins.items()}
        yield Run(evaluation, tuple(subjects[model] for model in loaded), pairs)
    finally:
        store.close()


def _load(model: Model, data: Dataset, checkpoint: Path | None = None) -> zoo.LoadedModel:
    if isinstance(model, zoo.LoadedModel):
        return model
    if isinstance(model, nn.Module):
        return zoo.describe(model, type(model).__name__)
    benchmark = data.name if data.name in zoo.names() else "cifar10"
    return zoo.load(model, benchmark, len(data.classes), checkpoint)


def _twin(model: zoo.LoadedModel, others: list[zoo.LoadedModel], data: Dataset, choice: str) -> zoo.LoadedModel | None:
    """The model's twin: the one already among ``others``, or loaded by name; None where there is none."""
    name = model.card.twin if choice == "auto" else choice
    if name in ("", "none") or name == model.card.name:
        return None
    same_set = [other for other in others if other.card.name == name and other.card.dataset == model.card.dataset]
    if same_set:
        return same_set[0]
    qualified = f"{model.card.dataset}/{name}" if choice == "auto" else name
    return _load(qualified, data)


def load_model(
    name: str, dataset: str = "cifar10", checkpoint: str | Path | None = None, num_classes: int = 10
) -> nn.Module:
    """Load a model as robench measures it.

    Args:
        name: a zoo model, ``timm:NAME``, ``package.module:factory`` or ``path/to/file.py:factory``.
        dataset: which of the zoo's models a bare name means: "cifar10" or "digits".
        checkpoint: weights for a timm model or a factory's.
        num_classes: for a timm model.

    Returns:
        A module in eval mode: float32 pixels in [0, 1], [N, C, H, W], to logits; normalisation is inside.

    Raises:
        RobenchError: no such model, or one that cannot be loaded.
    """
    return zoo.load(name, dataset, num_classes, Path(checkpoint) if checkpoint else None).module


def evaluate(
    model: Model,
    dataset: str = "auto",
    suite: str = "robench-v1",
    *,
    twin: str = "auto",
    conditions: str = "*",
    n_images: int | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    gradients: str = "auto",
    patient: bool = False,
    store: str | Path | None = None,
) -> ResultCard:
    """Measure one model under a suite.

    Args:
        model: a name as for ``load_model``, or your own module: float32 pixels in [0, 1] to logits.
        dataset: auto, cifar10, digits, ``npz:PATH`` or ``imagefolder:PATH``.
        suite: a suite's name, or a TOML file.
        twin: a model to compare with, or "none"; "auto" is the model card's own.
        conditions: a pattern such as ``attack/*``.
        n_images, seed: the suite's unless given.
        batch_size: images held at once, 1,024 (128 of more than 64x64 pixels) unless given; changes no score.
        data_dir: where CIFAR-10 is.
        device: auto, cpu or cuda.
        gradients: precision in which attacks take gradients: auto, bfloat16 or float32; verdicts are always in float32.
        patient: attacks take all of their steps, also on images that are out of their reach.
        store: an SQLite file that remembers measurements; without it nothing is kept.

    Returns:
        The model's result card.

    Raises:
        RobenchError: anything that does not exist or does not fit; the message says what to do.
    """
    request = Request(
        models=(model,),
        dataset=dataset,
        suite=suite,
        twin=twin,
        conditions=conditions,
        n_images=n_images,
        seed=seed,
        batch_size=batch_size,
        data_dir=Path(data_dir) if data_dir else None,
        device=device,
        gradients=gradients,
        patient=patient,
        store=Path(store) if store else None,
    )
    with open_run(request, lambda notice: None) as run:
        subject = run.requested[0]
        pending = [task for task in run.evaluation.pending() if task.subject is subject]
        run.evaluation.run(pending, lambda task: lambda done, correct: None, lambda task, measurement: None)
        return run.card(subject)
