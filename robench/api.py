"""The public Python functions: load a model, evaluate it, compare two result cards."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from torch import nn
from tqdm.auto import tqdm

from robench.core.kinds import kind_of
from robench.core.types import Measurement
from robench.engine.task import Task
from robench.measure.cluster import elsewhere
from robench.measure.request import Model
from robench.measure.run import Request, Run, open_run
from robench.results.cards import Card
from robench.results.compare import compare
from robench.zoo import in_front, load

__all__ = ["compare", "evaluate", "load_model"]

logger = logging.getLogger("robench")


def load_model(
    name: str,
    dataset: str = "cifar10",
    checkpoint: str | Path | None = None,
    num_classes: int = 10,
    *,
    zoo: str | Path | None = None,
    trust: bool = False,
) -> nn.Module:
    """Load a model as robench measures it.

    Args:
        name: a zoo model, ``timm:NAME``, ``package.module:factory``, ``path/to/file.py:factory``, ``onnx:FILE``,
            ``torchscript:FILE`` or ``pt2:FILE``.
        dataset: which of the zoo's models a bare name means: "cifar10" or "digits".
        checkpoint: weights for a timm model or a factory's.
        num_classes: for a timm model.
        zoo: a folder of models of your own, in which a name is looked up before ``$ROBENCH_ZOO`` and the shipped zoo.
        trust: run the code that the card of a model folder names.

    Returns:
        A module in eval mode: float32 pixels in [0, 1], [N, C, H, W], to logits; normalisation is inside.

    Raises:
        RobenchError: no such model, or one that cannot be loaded.
    """
    with in_front(Path(zoo) if zoo else None):
        return load(name, dataset, num_classes, Path(checkpoint) if checkpoint else None, trust=trust).module


Models = list[Model] | tuple[Model, ...]
Paths = str | Path | Sequence[str | Path]


@overload
def evaluate(
    model: Model, dataset: object = ..., suite: str = ..., *, progress: bool = ..., **settings: Any
) -> Card: ...


@overload
def evaluate(
    model: list[Model] | tuple[Model, ...],
    dataset: object = ...,
    suite: str = ...,
    *,
    progress: bool = ...,
    **settings: Any,
) -> list[Card]: ...


def evaluate(
    model: Model | Models,
    dataset: object = "auto",
    suite: str = "robench-v1",
    *,
    name: str | Sequence[str] = (),
    checkpoint: Paths = (),
    zoo: str | Path | None = None,
    progress: bool = False,
    engine: str = "local",
    gpus_per_task: float = 0.0,
    **settings: Any,
) -> Card | list[Card]:
    """Measure one model or several, each with its twin, under a suite.

    >>> card = robench.evaluate("twn_resnet20", "digits", "quick")
    >>> for row in card.difference():
    ...     print(row.condition, row.difference.value, row.p_holm)

    Args:
        model: a name as for ``load_model``, or your own module: float32 pixels in [0, 1] to logits; or several. The
            module itself is left as it is: mode, device, type, gradients and hooks; a copy in eval mode is measured.
        dataset: what the command line takes (auto, cifar10, digits, ``npz:FILE``, ``imagefolder:FOLDER``, ...), or an
            object: (images, labels) as arrays or tensors, a list of (image, label), a data set of torch, torchvision
            or Hugging Face, a DataLoader, or a ``robench.data.Dataset``. docs/data.md says what pixels and labels may
            be; what is done to them goes to the logger "robench", and into the card.
        suite: a suite's name, or a TOML file.
        name: for the card; one for each of several models.
        checkpoint: weights to load into a copy of the model; one for each of several modules, timm models and
            factories.
        zoo: a folder of models of your own, as for ``load_model``.
        progress: show a bar.
        engine: where to measure: local, ``ray`` or ``ray:ADDRESS`` (see docs/cluster.md).
        gpus_per_task: with Ray, GPUs of a worker, such as 0.5.
        **settings: further fields of ``robench.measure.request.Request``: twin, twin_checkpoint, options, num_classes,
            bits, quantize, conditions, n_images, seed, image_size, batch_size, data_dir, device, gradients,
            early_stopping, verdicts, store, trust, witness.

    Returns:
        The model's result card, or a list of cards; ``card.twin_card`` is that of its twin, or None.

    Raises:
        RobenchError: anything that does not exist or does not fit; the message says what to do.
        TypeError: a setting that there is not.
    """
    models = tuple(model) if isinstance(model, list | tuple) else (model,)
    names: tuple[str, ...] = (name,) if isinstance(name, str) else tuple(name)
    files = (checkpoint,) if isinstance(checkpoint, str | Path) else tuple(checkpoint)
    paths = {
        key: Path(settings[key]) for key in ("data_dir", "twin_checkpoint", "store", "witness") if settings.get(key)
    }
    request = Request(models, dataset, suite, names=names, checkpoints=tuple(map(Path, files)), **settings | paths)
    with in_front(Path(zoo) if zoo else None), open_run(request, logger.warning) as run:
        _measure(run, request, engine, gpus_per_task, progress=progress)
        for measurement in run.failed.values():
            logger.warning(measurement.flags[0])
        cards = [run.card(each) for each in run.requested]
    return cards if isinstance(model, list | tuple) else cards[0]


def _measure(run: Run, request: Request, engine: str, gpus: float, *, progress: bool) -> None:
    pending = run.pending()
    with tqdm(total=len(pending), unit="measurement", disable=not progress) as bar:

        def done(task: Task, measurement: Measurement) -> None:
            bar.set_postfix_str(
                f"{task.model.card.name} {kind_of(task.condition).label(task.condition)}", refresh=False
            )
            bar.update()

        measure = elsewhere(run, request, engine, gpus)
        if measure is None:
            run.measure(pending, done=done)
        else:
            measure(done)
