"""A request, and the evaluation that it opens."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from robench import suites, zoo
from robench.core.errors import ForeignError, RobenchError, foreign_code
from robench.core.files import exists, short
from robench.core.kinds import Progress, kind_of
from robench.core.types import CLEAN, LARGEST_SEED, MOST_CLASSES, MOST_IMAGES, DataCard, Measurement, Suite
from robench.data.base import SMALLEST, Dataset
from robench.data.choose import choose
from robench.data.lazy import LazyImages
from robench.data.load import load_calibration
from robench.data.resizing import IMAGENET, InputSize
from robench.engine.foreign import other_precision
from robench.engine.input_size import input_size
from robench.engine.loaded import LoadedModel
from robench.engine.model import ModelUnderTest
from robench.engine.precision import reproducibly
from robench.engine.prepare import choose_device, prepare
from robench.engine.quantize import needs_images, quantized
from robench.engine.task import Task
from robench.measure import witness
from robench.measure.environment import provenance
from robench.measure.measure import measure
from robench.measure.plan import Planned, plan
from robench.measure.request import Model, Request, check_models, load_model, looked_at, pair, sources
from robench.measure.shards import on_a_network, parse_shard, part_of, plan_digest, store_of
from robench.measure.store import Store
from robench.results.cards import Card

VERDICTS = ("torch", "runtime")
MANY = 5000
"""Images that take half a minute to decode."""


@dataclass(frozen=True, eq=False)
class Run:
    """An evaluation that is ready to go on.

    Attributes:
        requested: the models that were asked for.
        twins: model -> the one that it is compared with; those are measured, too.
        data: exactly the images that are evaluated.
        suite: the conditions.
        work: all measurements, in order.
        store: what is measured already, and where the rest goes.
        calibration: training images, for conditions that need them.
        witness: a folder for what shows that images fell; None where nothing of it is kept.
        failed: n/a by a fault of the user's or a library's code, by key; another run tries again.
    """

    requested: tuple[ModelUnderTest, ...]
    twins: Mapping[ModelUnderTest, ModelUnderTest]
    data: Dataset
    suite: Suite
    work: tuple[Planned, ...]
    store: Store
    calibration: Dataset | None
    witness: Path | None = None
    failed: dict[str, Measurement] = field(default_factory=dict)

    @property
    def models(self) -> tuple[ModelUnderTest, ...]:
        """Every model that is measured, twins among them."""
        return tuple(dict.fromkeys([*self.requested, *self.twins.values()]))

    def pending(self) -> list[Planned]:
        """What no run has measured yet, or of which the witness is missing."""
        return [item for item in self.work if self._stored(item) is None or self._lacks_witness(item.task)]

    def _lacks_witness(self, task: Task) -> bool:
        return self.witness is not None and task.witness and not exists(witness.path_of(task, self.witness))

    def measure(
        self,
        work: Iterable[Planned],
        progress: Callable[[Task], Progress] = lambda task: lambda done, correct: None,
        done: Callable[[Task, Measurement], None] = lambda task, measurement: None,
    ) -> None:
        """Take measurements, each stored before the next begins.

        Where the user's or a library's code fails under a condition, that is n/a with the reason, is not stored, and
        the others go on; without an attack or a change it must not fail.
        """
        for item in work:
            try:
                measurement = measure(item.task, progress(item.task))
            except ForeignError as error:
                measurement = self.failure(item, str(error))
            else:
                self.keep(item, measurement)
            done(item.task, measurement)

    def keep(self, item: Planned, measurement: Measurement) -> None:
        """Store a measurement, and its witness where that is asked for."""
        if self.witness is not None and measurement.witness:
            witness.write(item.task, measurement.witness, self.witness)
        self.store.put(item.key, item.task.model.card.name, measurement)

    def failure(self, item: Planned, reason: str) -> Measurement:
        """What stands in the card, and in no store, where code that is not robench's failed.

        Raises:
            ForeignError: it failed on the images as they are.
        """
        if item.task.condition == CLEAN:
            raise ForeignError(reason)
        nothing = np.zeros(0, bool)
        failed = Measurement(item.task.condition, item.task.draw, nothing, nothing, (f"n/a: {reason}"[:500],))
        self.failed[item.key] = failed
        return failed

    def check_failures(self) -> None:
        """Raise RobenchError where code of the user's or of a library failed under a condition."""
        told = {measurement.flags[0].removeprefix("n/a: ") for measurement in self.failed.values()}
        if told:
            raise ForeignError(f"{'; '.join(sorted(told)[:3])}. The rest is measured; the same command tries again.")

    def _stored(self, item: Planned) -> Measurement | None:
        return self.failed.get(item.key) or self.store.get(item.key, item.task.condition, item.task.draw)

    def card(self, model: ModelUnderTest) -> Card:
        """The result card of one model, from what is measured so far."""
        found = (self._stored(item) for item in self.work if item.task.model is model)
        twin = self.twins.get(model)
        return Card(
            model.card,
            self.suite,
            _data_card(self.data),
            tuple(measurement for measurement in found if measurement is not None),
            (twin.card.name, twin.card.sha256) if twin else ("", ""),
            provenance(model),
            self.card(twin) if twin else None,
        )


@contextmanager
def open_run(request: Request, notify: Callable[[str], None] = lambda notice: None) -> Iterator[Run]:
    """Load data, models and twins, and open the store for as long as the block lasts.

    Args:
        request: what to measure.
        notify: gets sentences that the user should see, such as which data set is used instead of a missing one.

    Raises:
        RobenchError: anything that the request names cannot be had, or does not fit.
    """
    _check(request)
    suite = _chosen_suite(request)
    data, notice = choose(request.dataset, _common_datasets(request.models), request.data_dir)
    if notice:
        notify(notice)
    n_images = request.n_images if request.n_images is not None else min(suite.n_images, len(data))
    suite = suite.with_images(n_images, len(data))
    data = data.first(n_images)
    loaded = [load_model(source, data, request) for source in sources(request)]
    for model in loaded:
        if precision := other_precision(model.module):
            notify(f"{model.card.name}: its parameters are {precision}; they are measured in float32.")
    if request.image_size and not isinstance(data.images, LazyImages):
        raise RobenchError(f"--image-size is for image files, and {data.name} has pixels of one size already.")
    data = _ready(data.sized(_input_size(loaded, request.image_size)), notify)
    loaded = [looked_at(model, data, request) for model in loaded]
    calibration = _calibration(request, suite, data)
    if request.quantize:
        pairs = {quantized(model, request.quantize, calibration): model for model in loaded}
        loaded = list(pairs)
    else:
        pairs = pair(loaded, data, request, suite.twins)
    with reproducibly():
        models = _prepared(loaded, pairs, data, request)
        twins = {models[model]: models[twin] for model, twin in pairs.items()}
        for tested in models.values():
            if tested.no_gradient:
                notify(_without_gradients(tested))
        kept = request.witness
        work = plan(models.values(), data, suite, request.batch_size, calibration, witness=kept is not None)
        store, work = _opened(request, work, notify)
        try:
            yield Run(tuple(models[model] for model in loaded), twins, data, suite, work, store, calibration, kept)
        finally:
            store.close()


def _check(request: Request) -> None:
    """Raise RobenchError where a request is none that can be met, whatever models and data are."""
    if not request.models:
        raise RobenchError("there is no model to evaluate; give one.")
    check_models(request)
    _check_numbers(request)
    _check_verdicts(request)
    if request.quantize and request.twin != "auto":
        raise RobenchError("--quantize compares each model with itself; leave --twin out.")


def _opened(
    request: Request, work: tuple[Planned, ...], notify: Callable[[str], None]
) -> tuple[Store, tuple[Planned, ...]]:
    """The store, and of the work the part that goes into it."""
    shard = parse_shard(request.shard) if request.shard else None
    place = store_of(request.store, shard) if request.store and shard else request.store
    if place and (kind := on_a_network(place)):
        notify(
            f"the store {place} is on a network's file system ({kind}), where several machines that write to one "
            "SQLite file may damage it; give each its own: --shard."
        )
    store = Store(place)
    if shard is None:
        return store, work
    store.put_shard(plan_digest(work), str(shard))
    return store, part_of(work, shard)


def _prepared(
    loaded: list[LoadedModel], pairs: Mapping[LoadedModel, LoadedModel], data: Dataset, request: Request
) -> dict[LoadedModel, ModelUnderTest]:
    """The models that were asked for, and their twins, as they are tested."""
    device = choose_device(request.device)

    def alone(model: LoadedModel) -> ModelUnderTest:
        # A twin without a runtime is judged by torch.
        verdicts = request.verdicts if model in loaded or model.runtime is not None else "torch"
        stops = request.early_stopping
        with nullcontext() if model.card.test else foreign_code(model.card.name):
            return prepare(model, data, device, request.gradients, early_stopping=stops, verdicts=verdicts)

    models = {model: alone(model) for model in dict.fromkeys([*loaded, *pairs.values()])}
    partners = {twin: model for model, twin in reversed(list(pairs.items()))} | dict(pairs)
    return {
        model: _with_source(tested, models[partners[model]] if model in partners else None)
        for model, tested in models.items()
    }


def _check_verdicts(request: Request) -> None:
    """Raise RobenchError where nobody of that name judges."""
    if request.verdicts not in VERDICTS:
        raise RobenchError(f"verdicts are {' or '.join(VERDICTS)}, not {short(repr(request.verdicts), 60)}.")


def _with_source(tested: ModelUnderTest, partner: ModelUnderTest | None) -> ModelUnderTest:
    """A model with its twin, or the model of which it is the twin, where that has gradients to lend."""
    lends = partner is not None and not partner.no_gradient
    return replace(tested, source=partner) if lends else tested


def _without_gradients(tested: ModelUnderTest) -> str:
    what = (
        f"their images are made on its twin, {tested.source.card.name}"
        if tested.source
        else "they are n/a; name a twin of the same classes (--twin), and their images are made on that"
    )
    return f"{tested.card.name}: no gradient attacks of its own, for {tested.no_gradient}; {what}."


def _input_size(models: list[LoadedModel], side: int | None) -> InputSize | None:
    """What image files are resized to: the side that was asked for, or what the models themselves say."""
    found = {size: model.card.name for model in models if (size := input_size(model)) is not None}
    if side is not None:
        own = next(iter(found), IMAGENET)
        return replace(own, width=side, height=side, fixed=True)
    if len(found) > 1:
        said = " and ".join(f"{name} {size.width}x{size.height}" for size, name in found.items())
        raise RobenchError(
            f"the models take images of several kinds ({said}); evaluate them one by one, or say --image-size."
        )
    return next(iter(found), None)


def _ready(data: Dataset, notify: Callable[[str], None]) -> Dataset:
    """The data, all of it read once, so that what is damaged is known before anything is measured."""
    if len(data) > MANY and isinstance(data.images, LazyImages):
        notify(f"reading {len(data):,} images once, for their fingerprint ...")
    data.fingerprint  # noqa: B018 - it is kept
    for note in data.preparation:
        notify(f"{data.name}: {note}.")
    classes = len(np.unique(data.labels))
    if classes < len(data.classes) and ":" in data.name:
        notify(
            f"{data.name}: the {len(data):,} images that are evaluated are of {classes} of {len(data.classes)} classes."
        )
    return data


def _data_card(data: Dataset) -> DataCard:
    return DataCard(data.name, data.source, len(data), data.fingerprint, "; ".join(data.preparation))


def _check_numbers(request: Request) -> None:
    """Raise RobenchError where a number of the request is none that makes sense."""
    ranges = {
        "n_images": (1, MOST_IMAGES),
        "seed": (0, LARGEST_SEED),
        "batch_size": (1, MOST_IMAGES),
        "image_size": (SMALLEST, 4096),
        "num_classes": (1, MOST_CLASSES),
    }
    for name, (least, most) in ranges.items():
        value = getattr(request, name)
        if value is not None and (type(value) is not int or not least <= value <= most):
            raise RobenchError(f"{name} must be a whole number from {least} to {most}, not {short(repr(value), 60)}.")
    if type(request.bits) is not int or request.bits not in (*range(9), 16, 32):
        raise RobenchError(f"bits must be from 1 to 8, or 16 or 32 for floats, not {short(repr(request.bits), 60)}.")


def _chosen_suite(request: Request) -> Suite:
    suite = request.suite if isinstance(request.suite, Suite) else suites.load(request.suite)
    if request.seed is not None:
        suite = suite.with_seed(request.seed)
    suite = suite.select(request.conditions)
    if not suite.conditions:
        raise RobenchError(
            f"no condition of {suite.name} matches {request.conditions!r}; try 'attack/*' or '*/gaussian'."
        )
    return suite


def _common_datasets(models: Iterable[Model]) -> set[str]:
    """The data sets that all models were made for, of those that are given by name; empty where none is known."""
    sets = [set(zoo.benchmarks(model)) for model in models if isinstance(model, str)]
    return set.intersection(*sets) if sets else set()


def _calibration(request: Request, suite: Suite, data: Dataset) -> Dataset | None:
    conditions = any(kind_of(condition).calibrates(condition) for condition in suite.conditions)
    if not conditions and not (request.quantize and needs_images(request.quantize)):
        return None
    spec = data.name if request.dataset == "auto" else request.dataset
    return load_calibration(spec, request.data_dir, data)
