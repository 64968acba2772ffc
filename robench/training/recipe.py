"""A training recipe: data, not code."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from robench.core.errors import RobenchError
from robench.core.registry import did_you_mean

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    Attributes:
        name: of the model that comes out.
        dataset: its training split is used, whole.
        architecture, quantizer: names in their registries; the first and last layer stay full precision.
        epochs, batch_size, learning_rate, weight_decay, momentum: of SGD with Nesterov momentum; the learning rate
            is the peak of one cycle.
        full_precision: share of the epochs that come before the quantizer is switched on (the budget stays the same).
        warmup: share of the steps in which the learning rate rises to its peak, before a cosine to 0.
        crop: pixels of zero padding for random crops; flip: mirror at random.
        label_smoothing: in [0, 1).
        mean, std: the normalisation inside the model, per channel, on the [0, 1] scale.
        bf16: bfloat16 autocast for convolutions and linear layers.
        seed: of the initial weights, the order and the augmentation.
        twin: the full-precision model of the same recipe; empty for that one itself.
        paper: the source of the quantizer.
    """

    name: str
    dataset: str
    architecture: str
    quantizer: str
    epochs: int
    learning_rate: float
    mean: list[float]
    std: list[float]
    batch_size: int = 256
    weight_decay: float = 5e-4
    momentum: float = 0.9
    full_precision: float = 0.0
    warmup: float = 0.3
    crop: int = 4
    flip: bool = True
    label_smoothing: float = 0.0
    bf16: bool = True
    seed: int = 0
    twin: str = ""
    paper: str = ""


def load_recipe(name: str) -> Recipe:
    """A shipped recipe by name (``cifar10/twn_resnet20``), or a TOML file by path.

    Raises:
        RobenchError: no such recipe, or keys that do not fit.
    """
    shipped = {str(path.relative_to(RECIPES).with_suffix("")): path for path in RECIPES.rglob("*.toml")}
    path = shipped.get(name, Path(name))
    if not path.is_file():
        raise RobenchError(f"no recipe is named {name!r}; {did_you_mean(name, list(shipped))}")
    try:
        return Recipe(**tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        known = ", ".join(field.name for field in fields(Recipe))
        raise RobenchError(f"the recipe {path} does not fit: {error}. Its keys may be: {known}.") from error
