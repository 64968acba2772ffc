"""The page of Merolla et al., from cards and facts made by hand, and the facts from networks made by hand."""

import numpy as np
import pytest
import torch

from robench import suites
from robench.architectures import ARCHITECTURES
from robench.core.kinds import kind_of
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard
from robench.data.base import Dataset
from robench.engine.classifier import Classifier
from robench.engine.layers import inner_layers
from robench.engine.loaded import from_module
from robench.engine.prepare import prepare
from robench.studies.merolla import STUDY, facts, numbers

IMAGES = 400
LOG = [{"number": 1, "held_out": 0.5, "under": {"round": 0.3, "sign": 0.2}}]
LAYER = {"name": "one", "histogram": [1 / 41] * 41, "distance": 0.25, "correlation": 0.75, "recalibrated": 0.5}
NETWORK = {
    "log": LOG,
    "hold_out": 100,
    "projected_from": 1,
    "power": 0.64,
    "betas": {str(beta): [1 / 41] * 41 for beta in facts.BETAS},
    "layers": [LAYER] * 2,
}


def card(name: str, under_distortion: int) -> ResultCard:
    suite = suites.load(STUDY.suite)
    clean, distorted = (np.arange(IMAGES) < right for right in (360, under_distortion))
    rows = tuple(
        Measurement(c, draw, clean if c.kind == "clean" else distorted, clean)
        for c in suite.conditions
        for draw in range(c.draws)
    )
    return ResultCard(ModelCard(name), suite, DataCard("cifar10", "here", IMAGES, "f" * 64), rows)


def study(robust: int, fragile: int) -> tuple[list[ResultCard], dict]:
    weak = {numbers.CONTROL, numbers.LARGE[0]}
    cards = [card(name, fragile if name in weak else robust) for name in STUDY.models]
    return cards, {"networks": dict.fromkeys(STUDY.models, NETWORK)}


def claims(page: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.endswith(f"`{STUDY.command}` |")]


def test_effective_bits_are_shannons() -> None:
    assert numbers.effective_bits(0.8) == pytest.approx(0.679, abs=5e-4)
    assert numbers.effective_bits(1.0) == 0.5
    assert numbers.effective_bits(0.8, power=0.0) == 0.0


def test_robust_networks_make_the_claims_hold() -> None:
    page = STUDY.page(*study(robust=359, fragile=100), "m")
    verdicts = {row[0]: row[3] for row in claims(page)}
    assert verdicts["tr_sign_c withstands Sign better than the control."] == "holds"
    assert (
        verdicts["tr_none_c withstands additive noise of 0.2 a better than the control, batch norm recalibrated."]
        == "holds"
    )
    assert verdicts["tr_sign_c works with the signs of its weights as well as with the weights."] == "holds"
    for unit in ("a", "RMS"):
        text = f"A network has no more than 11% error at 0.68 effective bits per weight (noise of 0.8 {unit})."
        assert verdicts[text] == "cannot be told"
    unrun = [claim for claim, verdict in verdicts.items() if verdict.startswith("cannot be run here")]
    assert unrun == ["StochM3 without augmentation reaches 7.64% error.", "The same holds on ImageNet."]
    assert "| error, %, at 0.8 a, kept | error, %, at 0.8 a, recalibrated | error, %, at 0.8 RMS, kept |" in page
    assert "| tr_sign_c | 0.679 | 0.640 | 0.500 | 10.3 [" in page
    assert all(f"m-{name}.png" in page for name in ("fig1", "fig2", "fig2-betas", "fig3", "fig4", "bits"))


def test_fragile_networks_make_them_fail() -> None:
    verdicts = {row[0]: row[3] for row in claims(STUDY.page(*study(robust=100, fragile=359), "m"))}
    assert verdicts["tr_sign_c withstands Sign better than the control."] == "does not hold"
    assert verdicts["tr_sign_c works with the signs of its weights as well as with the weights."] == "does not hold"
    for unit in ("a", "RMS"):
        text = f"A network has no more than 11% error at 0.68 effective bits per weight (noise of 0.8 {unit})."
        assert verdicts[text] == "cannot be told"


def test_sections_without_their_networks_are_left_out() -> None:
    cards, measured = study(359, 100)
    text = STUDY.page(cards[-2:], measured, "m")
    assert "Fig 3" in text
    assert not any(title in text for title in ("Fig 1", "Fig 2", "Fig 4", "Effective bits"))


def binary_network(seed: int, power: float) -> torch.nn.Module:
    torch.manual_seed(seed)
    network = ARCHITECTURES["convnet"](num_classes=10, width=0.0625)
    for layer in inner_layers(network).values():
        layer.weight.data = layer.weight.data.sign() * layer.weight.data.abs() ** power
    return Classifier(network, [0.5], [0.5])


@pytest.mark.parametrize(("power", "distance"), [(0.0, 0.0), (1.0, 0.5)])
def test_what_sign_does_to_a_network_is_seen(power: float, distance: float, digits: Dataset) -> None:
    subject = prepare(from_module(binary_network(0, power), "net"), digits, torch.device("cpu"))
    weights = facts.inner_weights(subject)
    layers = facts.effect_of_sign(subject, weights, digits.first(64), None)
    assert len(layers) == 7
    for layer in layers:
        assert layer["distance"] == pytest.approx(distance, abs=0.2 * (distance > 0))
        assert sum(layer["histogram"]) == pytest.approx(1, abs=1e-4)
        assert (layer["correlation"] == pytest.approx(1)) == (power == 0)


def test_the_suite_measures_everything_twice() -> None:
    found = [c for c in suites.load(STUDY.suite).conditions if c.kind == "distortion"]
    kept, again = ([c for c in found if kind_of(c).calibrates(c) == value] for value in (False, True))
    plain = [Condition(c.kind, c.name, c.level) for c in kept]
    assert plain == [Condition(c.kind, c.name, c.level) for c in again]


def test_every_figure_can_be_drawn() -> None:
    cards, measured = study(359, 100)
    drawn = dict(STUDY.figures(cards, measured))
    assert list(drawn) == ["fig1", "fig2", "fig2-betas", "fig3", "fig4", "bits"]
    lines = {line.get_label() for axis in drawn["fig2"].axes for line in axis.lines}
    assert lines == set(STUDY.models) - set(numbers.LARGE)


def test_wider_networks_have_a_table_of_their_own() -> None:
    cards, known = study(robust=359, fragile=100)
    assert "Does width bring" not in STUDY.page(cards, known, "m")
    wide = [card(name, 200) for name in STUDY.unshipped[:2]]
    page = STUDY.page([*cards, *wide], known, "m")
    (row,) = (line for line in page.splitlines() if line.startswith("| tr_stochm3_c_x2 |"))
    assert row.startswith("| tr_stochm3_c_x2 | 0.5 |")
    assert row.count("50.0 [") == 4
    header = next(line for line in page.splitlines() if line.startswith("| condition |"))
    assert "_x2" not in header
