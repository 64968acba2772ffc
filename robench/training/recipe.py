"""A training recipe: data, not code."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from annotated_types import Interval, Len

from robench.core.errors import RobenchError
from robench.core.files import exists, short
from robench.core.gate import check_name, checked, read_toml
from robench.core.registry import did_you_mean
from robench.core.types import Count, Options, Positive, Text
from robench.data.base import Dataset

RECIPES = Path(__file__).parent / "recipes"
LARGEST_RECIPE_SEED = 2**40
"""Each epoch has a seed of its own, made from the recipe's, of 64 bits."""
Share = Annotated[float, Interval(ge=0, le=1)]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    Attributes:
        name: of the model that comes out.
        dataset: its training split is used, but for the images that are held out.
        architecture, quantizer: names in their registries; the first and last layer stay full precision.
        options: keyword arguments of the architecture, such as ``width``.
        start: a model of the zoo for the same data set, whose weights and batch-norm statistics training starts from;
            empty for random weights.
        epochs, batch_size, learning_rate, weight_decay, momentum: of the optimizer; the learning rate is the peak of
            one cycle.
        optimizer: timm's name; "sgd" is SGD with Nesterov momentum.
        full_precision: share of the epochs that come before the quantizer is switched on (the budget stays the same).
        clip: latent weights of quantized layers are clipped after each step to this many times the layer's Glorot
            bound, sqrt(1.5 / (fan_in + fan_out)), from the first epoch on; 0 leaves them free.
        adversarial: Linf budget of adversarial training, such as "8/255"; empty for none.
        bit_errors: rate of the random bit errors under which every image is seen a second time (RandBET; Stutz et al.
            2021, arXiv:2006.13977), from ``start`` on and with its batch-norm statistics; 0 for none.
        warmup: share of the steps in which the learning rate rises to its peak, before a cosine to 0.
        crop: pixels of zero padding for random crops; flip: mirror at random.
        label_smoothing: in [0, 1).
        mean, std: the normalisation inside the model, per channel, on the [0, 1] scale.
        bf16: bfloat16 autocast for convolutions and linear layers, where the device is fast at it; float32 elsewhere.
        recalibrate: training images, augmented, over which batch norm's statistics are taken again for the deployed
            weights, after the last epoch; 0 keeps those of training.
        average: number of final epochs whose weights are averaged, which is what is deployed (SWA; Izmailov et al.
            2018, arXiv:1803.05407), with ``recalibrate``; 0 deploys the weights of the final epoch.
        hold_out: training images that are kept back and judged after each epoch, for choices between recipes.
        tested_under: distortions without a level, such as "sign", under which the held-out images are judged as well.
        seed: of the initial weights, the order and the augmentation.
        twin: the full-precision model of the same recipe; empty for that one itself.
        paper: the source of the method.
    """

    name: str
    dataset: str
    architecture: str
    quantizer: str
    epochs: Annotated[int, Interval(ge=1, le=100_000)]
    learning_rate: Annotated[float, Interval(gt=0, le=1000)]
    mean: Annotated[list[float], Len(1, 3)]
    std: Annotated[list[Positive], Len(1, 3)]
    options: Options = field(default_factory=dict)
    start: str = ""
    batch_size: Annotated[int, Interval(ge=1, le=1_000_000)] = 256
    optimizer: str = "sgd"
    weight_decay: Annotated[float, Interval(ge=0, le=100)] = 5e-4
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    full_precision: Share = 0.0
    clip: Annotated[float, Interval(ge=0, le=1000)] = 0.0
    adversarial: str = ""
    bit_errors: Share = 0.0
    warmup: Share = 0.3
    crop: Annotated[int, Interval(ge=0, le=64)] = 4
    flip: bool = True
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    bf16: bool = True
    recalibrate: Count = 0
    average: Count = 0
    hold_out: Count = 0
    tested_under: list[str] = field(default_factory=list)
    seed: Annotated[int, Interval(ge=0, le=LARGEST_RECIPE_SEED)] = 0
    twin: str = ""
    paper: Text = ""

    def __post_init__(self) -> None:
        check_name(self.name, "the name of a recipe")
        if self.twin:
            check_name(self.twin, "the twin of a recipe")
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f'adversarial = {self.adversarial!r} is not from 0 to 1, such as "8/255"')
        if self.average > self.epochs - self.switch:
            raise ValueError(f"average = {self.average} is not from 0 to the epochs after those in full precision")
        if self.bit_errors and not self.start:
            raise ValueError("bit_errors trains a network on that works already: name a model of the zoo in start")
        if self.average and not self.recalibrate:
            raise ValueError("averaged weights need their own batch-norm statistics: set recalibrate")

    @property
    def switch(self) -> int:
        """How many epochs come before the quantizer is switched on."""
        return round(self.full_precision * self.epochs)

    @property
    def epsilon(self) -> float:
        """The budget of adversarial training on the [0, 1] pixel scale; 0 where there is none."""
        try:
            return float(Fraction(self.adversarial or 0))
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f'adversarial must be a fraction such as "8/255", not {self.adversarial!r}') from error

    def with_seed(self, seed: int) -> "Recipe":
        """The recipe with another seed; model and twin are named by it (``twn_resnet20_seed1``), but for seed 0."""
        if not 0 <= seed <= LARGEST_RECIPE_SEED:
            raise RobenchError(f"the seed of a recipe must be from 0 to {LARGEST_RECIPE_SEED}, not {seed}.")
        mark = f"_seed{seed}" if seed else ""
        return replace(self, seed=seed, name=self.name + mark, twin=self.twin and self.twin + mark)

    def for_data(self, spec: str, data: Dataset) -> "Recipe":
        """The recipe for another training set of an image classification task.

        Held-out images are no more than a tenth, a batch is no more than an eighth of it, and a network with a
        ``stride`` of its own takes 4 for images of 128 pixels and more.
        """
        size = data.images.shape[-1]
        options = self.options | ({"stride": 4} if self.architecture == "alexnet" and size >= 128 else {})
        hold_out = min(self.hold_out, len(data) // 10)
        batch_size = max(min(self.batch_size, (len(data) - hold_out) // 8), 1)
        return replace(self, dataset=spec, options=options, hold_out=hold_out, batch_size=batch_size)


def load_recipe(name: str) -> Recipe:
    """A shipped recipe by name (``cifar10/twn_resnet20``), or a TOML file by path.

    Raises:
        RobenchError: no such recipe, or keys that do not fit.
    """
    shipped = {str(path.relative_to(RECIPES).with_suffix("")): path for path in RECIPES.rglob("*.toml")}
    path = shipped.get(name, Path(name))
    if not exists(path):
        raise RobenchError(f"no recipe is named {short(repr(name))}; {did_you_mean(name, list(shipped))}")
    return checked(Recipe, read_toml(path, "recipe"), f"the recipe {path}")
