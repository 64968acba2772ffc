"""The public Python functions: load a model, evaluate it, compare two result cards."""

import logging
from pathlib import Path
from typing import Any

from torch import nn

from robench import zoo
from robench.core.types import ResultCard
from robench.measure.run import Model, Request, open_run
from robench.results.compare import compare

__all__ = ["compare", "evaluate", "load_model"]

logger = logging.getLogger("robench")


def load_model(
    name: str,
    dataset: str = "cifar10",
    checkpoint: str | Path | None = None,
    num_classes: int = 10,
    *,
    trust: bool = False,
) -> nn.Module:
    """Load a model as robench measures it.

    Args:
        name: a zoo model, ``timm:NAME``, ``package.module:factory``, ``path/to/file.py:factory``, ``onnx:FILE``,
            ``torchscript:FILE`` or ``pt2:FILE``.
        dataset: which of the zoo's models a bare name means: "cifar10" or "digits".
        checkpoint: weights for a timm model or a factory's.
        num_classes: for a timm model.
        trust: run the code that the card of a model folder names.

    Returns:
        A module in eval mode: float32 pixels in [0, 1], [N, C, H, W], to logits; normalisation is inside.

    Raises:
        RobenchError: no such model, or one that cannot be loaded.
    """
    return zoo.load(name, dataset, num_classes, Path(checkpoint) if checkpoint else None, trust=trust).module


def evaluate(model: Model, dataset: object = "auto", suite: str = "robench-v1", **settings: Any) -> ResultCard:
    """Measure one model, and its twin, under a suite.

    >>> card = robench.evaluate("twn_resnet20", "digits", "quick")
    >>> for row in robench.compare(card, card.twin_card):
    ...     print(row.condition, row.difference.value, row.p_holm)

    Args:
        model: a name as for ``load_model``, or your own module: float32 pixels in [0, 1] to logits. The module itself
            is left as it is, in its mode; a copy in eval mode is measured.
        dataset: what the command line takes (auto, cifar10, digits, ``npz:FILE``, ``imagefolder:FOLDER``, ...), or an
            object: (images, labels) as arrays or tensors, a list of (image, label), a data set of torch, torchvision
            or Hugging Face, a DataLoader, or a ``robench.data.Dataset``. docs/data.md says what pixels and labels may
            be; what is done to them goes to the logger "robench", and into the card.
        suite: a suite's name, or a TOML file.
        **settings: further fields of ``robench.measure.run.Request``: twin, quantize, conditions, n_images, seed,
            image_size, batch_size, data_dir, checkpoint, device, gradients, early_stopping, verdicts, store, trust.

    Returns:
        The model's result card; ``card.twin_card`` is that of its twin, or None.

    Raises:
        RobenchError: anything that does not exist or does not fit; the message says what to do.
        TypeError: a setting that there is not.
    """
    paths = {name: Path(settings[name]) for name in ("data_dir", "checkpoint", "store") if settings.get(name)}
    with open_run(Request((model,), dataset, suite, **settings | paths), logger.warning) as run:
        run.measure(run.pending())
        return run.card(run.requested[0])
