"""The training loop: one recipe in, a trained network out, a checkpoint an epoch."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from robench.data.base import Dataset
from robench.models import ARCHITECTURES
from robench.models.classifier import Classifier
from robench.models.layers import inner_layers
from robench.quantizers.attach import after_step, attach, restart, set_active
from robench.training.augment import augment
from robench.training.recipe import Recipe

SCALE_RATE = 1e-3


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean training loss, training accuracy in [0, 1] (augmented images), wall seconds."""

    number: int
    loss: float
    accuracy: float
    seconds: float


def build(recipe: Recipe, num_classes: int) -> Classifier:
    """The recipe's untrained network, with its quantizer attached and its normalisation inside."""
    torch.manual_seed(recipe.seed)
    network = ARCHITECTURES[recipe.architecture](num_classes=num_classes)
    attach(inner_layers(network), recipe.quantizer)
    model = Classifier(network, recipe.mean, recipe.std)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


class Trainer:
    """Trains by a recipe; its state after each epoch is on disk, so that a killed run goes on where it was.

    Args:
        recipe: what to train.
        data: the training split.
        checkpoint: the file that holds the state; read at the start where it is there.
    """

    def __init__(self, recipe: Recipe, data: Dataset, checkpoint: Path) -> None:
        from timm.optim import create_optimizer_v2
        from timm.scheduler import CosineLRScheduler

        self.recipe = recipe
        self.checkpoint = checkpoint
        self.images = torch.from_numpy(data.images)
        self.labels = torch.from_numpy(data.labels)
        self.classes = data.classes
        self.source = data.source
        self.model = build(recipe, len(data.classes))
        self.steps = max(len(data) // recipe.batch_size, 1)
        self.optimizer = create_optimizer_v2(
            self.model,
            opt="sgd",
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            momentum=recipe.momentum,
            param_group_fn=lambda model: parameter_groups(model, recipe.weight_decay),
        )
        total = self.steps * recipe.epochs
        warmup = int(recipe.warmup * total)
        self.scheduler = CosineLRScheduler(
            self.optimizer,
            t_initial=total - warmup,
            warmup_t=warmup,
            warmup_lr_init=recipe.learning_rate / 25,
            warmup_prefix=True,
            t_in_epochs=False,
        )
        self.done = 0
        if checkpoint.is_file():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise FileExistsError(self.checkpoint)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = state["done"]

    def _save(self) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def run(self, report: Callable[[Epoch], None], step_done: Callable[[], None] = lambda: None) -> Classifier:
        """Train the epochs that are left and give the model; ``report`` hears of each epoch after it is on disk."""
        while self.done < self.recipe.epochs:
            epoch = self._epoch(step_done)
            self._save()
            report(epoch)
        return self.model.eval()

    def _epoch(self, step_done: Callable[[], None]) -> Epoch:
        started = time.perf_counter()
        rng = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.done)
        switch = round(self.recipe.full_precision * self.recipe.epochs)
        set_active(self.model, self.done >= switch)
        if switch and self.done == switch:
            restart(self.model)
        order = torch.randperm(len(self.labels), generator=rng)
        self.model.train()
        total_loss, correct = 0.0, 0
        for step in range(self.steps):
            chosen = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            loss, hits = self._step(chosen, self.done * self.steps + step, rng)
            total_loss += loss
            correct += hits
            step_done()
        self.done += 1
        seen = self.steps * min(self.recipe.batch_size, len(self.labels))
        return Epoch(self.done, total_loss / self.steps, correct / seen, time.perf_counter() - started)

    def _step(self, chosen: torch.Tensor, number: int, rng: torch.Generator) -> tuple[float, int]:
        self.scheduler.step_update(number)
        images = augment(self.images[chosen], self.recipe.crop, self.recipe.flip, rng)
        pixels = images.to(memory_format=torch.channels_last).float() / 255
        labels = self.labels[chosen]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            logits = self.model(pixels)
        loss = cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        after_step(self.model)
        return loss.item(), int((logits.argmax(1) == labels).sum())


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases, batch norm and quantizers' own scales do not.

    A scale's gradient is a sum over all weights of its layer: at SGD's rates for weights, or a tenth of them, it
    diverges (the smaller magnitude falls to its bound within an epoch), so that scales learn at a thousandth.
    """
    weights, vectors, scales = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            weights.append(parameter)
        elif ".parametrizations." in name:
            scales.append(parameter)
        else:
            vectors.append(parameter)
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
        {"params": scales, "weight_decay": 0.0, "lr_scale": SCALE_RATE},
    ]
