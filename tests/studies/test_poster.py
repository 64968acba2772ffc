"""The page of the poster, from cards made by hand."""

import numpy as np

from robench import suites
from robench.core.types import DataCard, Measurement, ModelCard, ResultCard
from robench.studies.poster import STUDY
from robench.studies.poster.facts import mean_of_smaller_side

IMAGES = 400


def card(name: str, quantizer: str, right: int, distance: float) -> ResultCard:
    suite = suites.load(STUDY.suite)
    top1, standing = np.arange(IMAGES) < right, np.arange(IMAGES) < 40
    distances = np.full(IMAGES, distance, np.float32)
    rows = tuple(
        Measurement(c, 0, standing, top1, distance=distances) if c.kind == "attack" else Measurement(c, 0, top1, top1)
        for c in suite.conditions
    )
    return ResultCard(ModelCard(name, quantizer=quantizer), suite, DataCard("cifar10", "here", IMAGES, "f" * 64), rows)


def test_every_row_claim_and_distance_is_on_the_page() -> None:
    cards = [card("fp_resnet20", "fp", 360, 1.0), card("twn_resnet20", "twn_per_filter", 300, 2.0)]
    text = STUDY.page(cards, {"mean_of_smaller_side": 73.8}, "p")
    assert "| clean, top-1 | 91.75 | 91.71 | 90.0 [86.7, 92.6] | 75.0 [" in text
    assert "| salt_and_pepper 0.123, top-5 | — | — |" in text
    assert "| twn_resnet20 | 10 | 300 | 260 | 40 | 2.000 [2.000, 2.000] | 2.000 [2.000, 2.000] | +1.0000 [" in text
    claims = [line for line in text.splitlines() if line.endswith("`robench reproduce poster` |")]
    assert len(claims) == 7
    assert all("does not hold" in claim for claim in claims)


def test_a_network_that_is_its_twin_keeps_everything() -> None:
    twin, copy = card("fp_resnet20", "fp", 360, 1.0), card("twn_resnet20", "twn", 360, 1.0)
    lines = STUDY.page([twin, copy], {"mean_of_smaller_side": 73.8}, "p").splitlines()
    claims = [line for line in lines if line.endswith("`robench reproduce poster` |")]
    assert ["does not hold" in claim for claim in claims] == [False] * 6 + [True]


def test_the_smaller_side_is_by_hand() -> None:
    images = np.array([0, 1, 127, 128, 254, 255], np.uint8).reshape(1, 1, 2, 3)
    assert mean_of_smaller_side(images) == (0 + 1 + 127 + 127 + 1 + 0) / 6


def test_each_figure_draws_every_network() -> None:
    cards = [card("fp_resnet20", "fp", 360, 1.0), card("twn_resnet20", "twn", 300, 2.0)]
    figures = dict(STUDY.figures(cards, {}))
    assert set(figures) == {"noise", "perturbations"}
    for figure in figures.values():
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert {"fp_resnet20", "twn_resnet20"} <= set(texts)
