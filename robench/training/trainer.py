"""The training loop: one recipe in, a trained network out, a checkpoint an epoch."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel

from robench import zoo
from robench.architectures import ARCHITECTURES
from robench.core.errors import RobenchError
from robench.core.files import short, whole
from robench.data.base import Dataset
from robench.distortions.apply import check, distorted
from robench.engine.classifier import Classifier
from robench.engine.layers import inner_layers
from robench.engine.precision import choose_precision
from robench.engine.recalibration import batch_norms
from robench.engine.verdict import count_correct
from robench.quantizers import QUANTIZERS
from robench.quantizers.attach import after_step, attach, restart, set_active, weights_in_use
from robench.training import adversarial, bit_errors
from robench.training.augment import augment
from robench.training.optimizer import computing_in, optimizer_and_schedule
from robench.training.recipe import Recipe
from robench.zoo.checkpoints import load_state

CHECKED = 256
BRANCH = "full_precision.pt"


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave.

    Attributes:
        number: from 1.
        loss, accuracy: means over the augmented (and attacked) training images; accuracy in [0, 1].
        seconds: wall time.
        precision: in which it was computed, ``bfloat16`` or ``float32``.
        held_out: accuracy on the held-out images with the weights that are deployed; None where there are none.
        under: the same under each distortion of inner weights that the recipe names in ``tested_under``.
        robust: accuracy on a few training images under PGD-10, of adversarial training; None otherwise.
    """

    number: int
    loss: float
    accuracy: float
    seconds: float
    precision: str
    held_out: float | None = None
    under: dict[str, float] = field(default_factory=dict)
    robust: float | None = None


def build(recipe: Recipe, num_classes: int) -> Classifier:
    """The recipe's network before its first epoch, with its quantizer attached and its normalisation inside."""
    if QUANTIZERS[recipe.quantizer].activation_bits:
        raise RobenchError(
            f"{recipe.quantizer} is for quantization after training: robench evaluate --quantize {recipe.quantizer}."
        )
    torch.manual_seed(recipe.seed)
    model = plain_network(recipe, num_classes)
    if recipe.start:
        started = zoo.load(recipe.start, recipe.dataset, num_classes)
        load_state(model, started.module.state_dict(), recipe.start)
    attach(inner_layers(model), recipe.quantizer, recipe.clip)
    return model


def plain_network(recipe: Recipe, num_classes: int) -> Classifier:
    """The same without a quantizer."""
    network = ARCHITECTURES[recipe.architecture](num_classes=num_classes, **recipe.options)
    model = Classifier(network, recipe.mean, recipe.std)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _compiled(model: Classifier) -> nn.Module:
    if not shutil.which(os.environ.get("CXX", "g++")):
        raise RobenchError("--compile needs a C++ compiler: install g++, or name another one in CXX.")
    compiled = torch.compile(model)
    assert isinstance(compiled, nn.Module)
    return compiled


@contextmanager
def _readable(checkpoint: Path) -> Iterator[None]:
    """RobenchError where a checkpoint, in the block, turns out to be damaged."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, RobenchError):
        raise
    except Exception as error:  # torch's reader, and what it gives, fail in any way on a damaged file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RobenchError(
            f"the checkpoint {checkpoint} is damaged ({short(reason)}); delete it, and the run begins anew."
        ) from error


def _read(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint, read without running code."""
    with _readable(checkpoint):
        state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        for key in ("recipe", "done", "best_robust", "model", "optimizer"):
            state[key]
        return state


def _with_defaults(settings: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """The settings in a checkpoint, with the defaults of keys that came after it."""
    try:
        return asdict(Recipe(**settings))
    except (TypeError, ValueError) as error:
        raise FileExistsError(checkpoint) from error


def _precisions(state: dict[str, Any]) -> list[str]:
    """Of each epoch in a checkpoint; those from before it was kept had bfloat16 wherever the recipe allowed it."""
    usual = "bfloat16" if state["recipe"].get("bf16", True) else "float32"
    return list(state.get("precisions", [usual] * state["done"]))


def shared(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recipe that decide its full-precision epochs."""
    later = ("name", "quantizer", "bit_errors", "recalibrate", "average", "twin", "paper")
    return {name: value for name, value in settings.items() if name not in later}


class Trainer:
    """Trains by a recipe; its state after each epoch is on disk, so that a killed run goes on where it was.

    Args:
        recipe: what to train.
        data: the training split; the images that the recipe holds out are taken from it.
        checkpoint: the file that holds the state; read at the start where it is there.
        device: where to compute.
        precision: ``bfloat16``, ``float32``, or ``auto``: bfloat16 where the recipe allows it and the device is fast at
            it. A checkpoint may be resumed in the other one.
        compiled: compute through torch.compile, which needs a C++ compiler.

    Attributes:
        precision: the one in which the next epochs are computed.
        precisions: the one of each epoch that is done.

    Raises:
        FileExistsError: the checkpoint is of another recipe.
        RobenchError: the recipe names what is no distortion without a level, or there is no such precision or compiler.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Dataset,
        checkpoint: Path,
        device: torch.device | None = None,
        *,
        precision: str = "auto",
        compiled: bool = False,
    ) -> None:
        for name in recipe.tested_under:
            check(name, None)
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.device = device or torch.device("cpu")
        self.precision = choose_precision(precision if precision != "auto" or recipe.bf16 else "float32", self.device)
        self.precisions: list[str] = []
        self.data, held_out = data.split(recipe.hold_out)
        self.held_out = held_out.like(self.data) if held_out else None
        images = self.data.images
        self.images = torch.from_numpy(images).to(self.device) if isinstance(images, np.ndarray) else images
        self.labels = torch.from_numpy(self.data.labels).to(self.device)
        self.model = build(recipe, len(data.classes)).to(self.device)
        self.forward: nn.Module = _compiled(self.model) if compiled else self.model
        self.steps = max(len(self.data) // recipe.batch_size, 1)
        self.optimizer, self.scheduler = optimizer_and_schedule(self.model, recipe, self.steps)
        self.switch = recipe.switch
        self.averaged = AveragedModel(self.model) if recipe.average else None
        self.done = 0
        self.best_robust = 0.0
        if checkpoint.is_file():
            self._resume()

    def _resume(self) -> None:
        state = _read(self.checkpoint)
        if _with_defaults(state["recipe"], self.checkpoint) != asdict(self.recipe):
            raise FileExistsError(self.checkpoint)
        with _readable(self.checkpoint):
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._take_over(state)

    def _take_over(self, state: dict[str, Any]) -> None:
        self.done = state["done"]
        self.best_robust = state["best_robust"]
        self.precisions = _precisions(state)

    def branch(self, checkpoint: Path) -> None:
        """Take over the full-precision epochs of another run, whose recipe differs only in the quantizer and later.

        Both start from the same weights and see the same images until the quantizer is switched on.

        Args:
            checkpoint: its state at that epoch, which every run with such epochs leaves as ``full_precision.pt``.

        Raises:
            FileExistsError: it is of another recipe.
        """
        state = _read(checkpoint)
        ours, theirs = (
            shared(settings) for settings in (asdict(self.recipe), _with_defaults(state["recipe"], checkpoint))
        )
        if ours != theirs or state["done"] != self.switch:
            raise FileExistsError(checkpoint)
        self.model.load_state_dict(state["model"], strict=False)
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state["optimizer"]["state"]})
        self._take_over(state)

    def _save(self) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "done": self.done,
            "best_robust": self.best_robust,
            "precisions": self.precisions,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else None,
            "optimizer": self.optimizer.state_dict(),
        }
        with whole(self.checkpoint) as draft:
            content = BytesIO()  # torch's own writer says of a full disk what none expects
            torch.save(state, content)
            draft.write_bytes(content.getbuffer())
            if self.done == self.switch:
                with whole(self.checkpoint.with_name(BRANCH)) as branch:
                    shutil.copyfile(draft, branch)

    def run(self, report: Callable[[Epoch], None], step_done: Callable[[], None] = lambda: None) -> Classifier:
        """Train the epochs that are left; ``report`` hears of each after it is on disk.

        Returns:
            The model with the final epoch's weights, or with the average that the recipe asks for.

        Raises:
            RobenchError: training has diverged, or adversarial training has overfitted catastrophically; the last sound
                epoch is on disk.
        """
        while self.done < self.recipe.epochs:
            epoch = self._epoch(step_done)
            if self.averaged and self.done > self.recipe.epochs - self.recipe.average:
                self.averaged.update_parameters(self.model)
            self._save()
            report(epoch)
        if self.averaged:
            self.model.load_state_dict(self.averaged.module.state_dict())
        return self.model.eval()

    def _epoch(self, step_done: Callable[[], None]) -> Epoch:
        started = time.perf_counter()
        rng = self._rng(self.done)
        torch.manual_seed(rng.initial_seed())  # for projections that draw
        set_active(self.model, self.done >= self.switch)
        if self.switch and self.done == self.switch:
            restart(self.model)
        order = torch.randperm(len(self.labels), generator=rng)
        self.model.train()
        if self.recipe.bit_errors:
            # Errors shift what a layer gives. Statistics of a batch would hide that, and running ones would follow it
            # until they fit neither the sound network nor the erring one.
            for norm in batch_norms(self.model):
                norm.eval()
        total_loss, correct = 0.0, 0
        for step in range(self.steps):
            chosen = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            loss, hits = self._step(chosen, self.done * self.steps + step, rng)
            total_loss += loss
            correct += hits
            step_done()
        self.model.eval()
        held_out, under = self._held_out()
        robust = self._robust()
        self.done += 1
        self.precisions.append(self.precision)
        seen = self.steps * min(self.recipe.batch_size, len(self.labels))
        seconds = time.perf_counter() - started
        loss, accuracy = total_loss / self.steps, correct / seen
        return Epoch(self.done, loss, accuracy, seconds, self.precision, held_out, under, robust)

    def augmented(self, n: int) -> torch.Tensor:
        """The first ``n`` training images, augmented as those of an epoch that comes after the last."""
        chosen = torch.arange(min(n, len(self.labels)))
        return augment(self._chosen(chosen), self.recipe.crop, self.recipe.flip, self._rng(self.recipe.epochs))

    def _chosen(self, images: torch.Tensor) -> torch.Tensor:
        """Some training images, uint8 [n, C, H, W]; image files are decoded now, and not kept."""
        if isinstance(self.images, torch.Tensor):
            return self.images[images]
        return torch.from_numpy(self.images[images.numpy()]).to(self.device)

    def _rng(self, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + epoch)

    def _step(self, chosen: torch.Tensor, number: int, rng: torch.Generator) -> tuple[float, int]:
        recipe = self.recipe
        self.scheduler.step_update(number)
        images = augment(self._chosen(chosen), recipe.crop, recipe.flip, rng)
        pixels = images.to(memory_format=torch.channels_last).float() / 255
        labels = self.labels[chosen]
        if recipe.epsilon:
            with self._autocast():
                pixels = adversarial.perturb(self.forward, pixels, labels, recipe.epsilon, rng)
        loss, logits = self._loss(pixels, labels)
        self.optimizer.zero_grad()
        if recipe.bit_errors and self.done >= self.switch:
            (loss / 2).backward()
            with bit_errors.erring(self.model, recipe.bit_errors, rng):
                (self._loss(pixels, labels)[0] / 2).backward()
        else:
            loss.backward()
        with computing_in(self.precision):
            self.optimizer.step()
        after_step(self.model)
        return loss.item(), int((logits.argmax(1) == labels).sum())

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def _loss(self, pixels: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss, and the logits; RobenchError where the loss is no number any more."""
        with self._autocast():
            logits = self.forward(pixels)
        loss = cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        if not loss.isfinite():
            raise RobenchError(
                f"{self.recipe.name} has diverged in epoch {self.done + 1}: its loss is {loss.item()}. Lower the "
                "learning rate, or lengthen the warmup; the epochs before are on disk."
            )
        return loss, logits

    def _held_out(self) -> tuple[float | None, dict[str, float]]:
        if self.held_out is None:
            return None, {}
        held_out, seed, total = self.held_out, self.recipe.seed, len(self.held_out)
        plain = plain_network(self.recipe, len(self.data.classes)).to(self.device).eval()
        plain.load_state_dict(weights_in_use(self.model))
        under = {}
        for name in self.recipe.tested_under:
            with distorted(plain, name, None, seed):
                under[name] = count_correct(plain, held_out, self.device) / total
        return count_correct(plain, held_out, self.device) / total, under

    def _robust(self) -> float | None:
        if not self.recipe.epsilon:
            return None
        pixels = self._chosen(torch.arange(min(CHECKED, len(self.labels)))).float() / 255
        robust = adversarial.robust_accuracy(self.model, pixels, self.labels[:CHECKED], self.recipe.epsilon)
        adversarial.check(robust, self.best_robust, self.done + 1)
        self.best_robust = max(robust, self.best_robust)
        return robust
