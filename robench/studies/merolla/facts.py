"""What Merolla's figures need besides measurements: training logs, weights and activations, as plain JSON."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from robench.data.base import Dataset
from robench.distortions import DISTORTIONS
from robench.distortions.apply import distorted
from robench.engine.layers import inner_layers
from robench.engine.model import ModelUnderTest
from robench.engine.recalibration import recalibrated, statistics
from robench.engine.verdict import to_pixels
from robench.measure.run import Run
from robench.studies.merolla.numbers import WIDE
from robench.studies.study import Facts

IMAGES = 200
EDGES = np.linspace(-1, 1, 42)
BETAS = (0.25, 0.5, 2.0, 3.0)
Floats = np.ndarray


def facts(run: Run, folders: Mapping[str, Path]) -> Facts:
    """For each shipped network: its log, and of its inner layers the weights' histograms and what Sign does to them."""
    networks = {}
    for tested in run.requested:
        name = tested.card.name
        if name in WIDE:
            continue
        layers = inner_weights(tested)
        networks[name] = {
            "log": _log(folders[name]),
            "hold_out": tested.card.training["hold_out"],
            "projected_from": round(tested.card.training["full_precision"] * tested.card.training["epochs"]),
            "power": float(np.mean(np.concatenate([weight.ravel() for weight in layers.values()]) ** 2)),
            "betas": {str(beta): _histogram(layers, _power(beta)) for beta in BETAS},
            "layers": effect_of_sign(tested, layers, run.data, run.calibration),
        }
    return {"networks": networks}


def _log(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: row[key] for key in ("number", "held_out", "under")} for row in rows]


def inner_weights(tested: ModelUnderTest) -> dict[str, Floats]:
    """Weights of the inner layers in units of each layer's largest, in [-1, 1]."""
    found = {}
    for name, layer in inner_layers(tested.original.model).items():
        weight = layer.weight.detach().cpu().numpy()
        found[name] = weight / max(float(np.abs(weight).max()), 1e-12)
    return found


def _power(beta: float) -> Callable[[Floats], Floats]:
    return lambda weight: DISTORTIONS["power"].function(weight, beta, np.random.default_rng(0))


def _histogram(layers: Mapping[str, Floats], change: Callable[[Floats], Floats]) -> list[float]:
    """Share of all weights in each of 41 bins over [-1, 1]."""
    values = np.concatenate([change(weight).ravel() for weight in layers.values()])
    return _shares(values)


def _shares(values: Floats) -> list[float]:
    counts, _ = np.histogram(values, EDGES)
    return [round(count / values.size, 6) for count in counts.tolist()]


def effect_of_sign(
    tested: ModelUnderTest, layers: Mapping[str, Floats], data: Dataset, calibration: Dataset | None
) -> list[dict[str, Any]]:
    """What Sign does to each inner layer, its weights given: see the page's text for the definitions."""
    model = tested.original.model
    pixels = to_pixels(data.images[:IMAGES], tested.original.device)
    images = torch.from_numpy((calibration or data).images[:])
    plain, before = _activations(model, pixels), statistics(model, images)
    with distorted(model, "sign", None, seed=0, stored=tested.stored):
        kept = _activations(model, pixels)
        with recalibrated(model, images, before):
            again = _activations(model, pixels)
    return [
        {
            "name": name.removeprefix("network."),
            "histogram": _shares(weight),
            "distance": float(np.mean(np.abs(weight - np.sign(weight)))),
            "correlation": _correlation(plain[name], kept[name]),
            "recalibrated": _correlation(plain[name], again[name]),
        }
        for name, weight in layers.items()
    ]


@torch.no_grad()
def _activations(model: nn.Module, pixels: torch.Tensor) -> dict[str, Floats]:
    """What each inner layer gives for the images, before batch norm."""
    found: dict[str, Floats] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
            found[name] = output.float().cpu().numpy().ravel()

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in inner_layers(model).items()]
    try:
        model(pixels)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _correlation(first: Floats, second: Floats) -> float:
    """Pearson's, over images, units and places; 0 where one is constant."""
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
