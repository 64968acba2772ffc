"""The page of the study of bit flips, from cards made by hand."""

import numpy as np
import pytest

from robench import suites
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard
from robench.studies.bit_flips import STUDY
from robench.studies.bit_flips.numbers import flips, loss_beyond

IMAGES = 400
SUITE = suites.load(STUDY.suite)
BITS = {"int8_resnet20": 8, "int4_resnet20": 4, "twn_resnet20": 2, "bwn_resnet20": 1}


def card(name: str, ends: tuple[int, ...], lost: int = 20, aged: int = 20, bits: int | None = None) -> ResultCard:
    """380 of 400 right; ``lost`` of them are not at an error rate of 1%, and ``aged`` not after a month."""
    bits = bits or BITS[name]

    def measured(condition: Condition, draw: int) -> Measurement:
        right = 380
        if condition.name == "bit_error" and condition.level == 1e-2:
            right -= lost + draw % 3
        if condition.name == "pcm" and condition.level != 1:
            right -= aged + draw % 3
        top1 = np.arange(IMAGES) < right
        if condition.name != "bit_flip_attack":
            return Measurement(condition, draw, top1, top1)
        numbers = (("bits", 1_000_000 * bits), ("flips", ends[draw]), ("flips_to_chance", ends[draw]))
        path = ((0, 380), (ends[draw], 40))
        top1 = np.arange(IMAGES) < 40
        if not ends[draw]:
            numbers, path = numbers[:2], ((0, 380), (1000, 100))
        return Measurement(condition, draw, top1, top1, numbers=numbers, path=path)

    rows = tuple(measured(c, draw) for c in SUITE.conditions for draw in range(c.draws))
    model = ModelCard(name, quantizer=name.removesuffix("_resnet20"), bits=bits)
    return ResultCard(model, SUITE, DataCard("cifar10", "here", IMAGES, "f" * 64), rows)


CARDS = [
    card("int8_resnet20", (24, 28, 26, 30, 27), lost=200, aged=60),
    card("int4_resnet20", (40, 45, 38, 44, 41)),
    card("twn_resnet20", (90, 100, 95, 105, 99), lost=40, aged=4),
    card("be_twn_resnet20", (190, 200, 195, 205, 199), lost=6, aged=4, bits=2),
    card("bwn_resnet20", (500, 510, 0, 540, 520), aged=60),
]


@pytest.fixture(scope="module")
def page() -> str:
    return STUDY.page(CARDS, {}, "p")


def claims(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.endswith("`robench reproduce bit-flips` |")]


def test_flips_to_chance_stand_beside_the_published_ones(page: str) -> None:
    assert (
        "| int8_resnet20 | 8 | 95.0 [92.4, 96.7] | 27.0 ± 2.2 | [24.2, 29.8] | 0.0003 | 28.0 ± 4.5 (91.84%) |" in page
    )
    assert "| twn_resnet20 | 2 | 95.0 [92.4, 96.7] | 97.8 ± 5.6 | [90.8, 104.8] | 0.0049 | — |" in page
    assert "| bwn_resnet20 | 1 | 95.0 [92.4, 96.7] | more than 1000 |  |  | 541.2 ± 49.8 (88.36%) |" in page
    assert flips(CARDS[-1]) is None


def test_stutz_curve_stands_below_ours(page: str) -> None:
    assert "| Stutz: Normal | 4.8 | 9.7 | above 12 | above 12 | above 12 | above 12 | above 12 |" in page
    assert "| int8_resnet20 | 5.0 [3.3, 7.6] | 5.0 [3.3, 7.6] |" in page


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("int8_resnet20: 8 bits are at chance after about 28 chosen flips.", "holds"),
        ("It takes more chosen flips at 4 bits than at 8", "holds"),
        ("It takes more chosen flips at 2 bits than at 4", "holds"),
        ("It takes more chosen flips at 1 bits than at 2", "cannot be told"),
        ("100 flips drawn at random cost an INT8 network less than a point", "holds"),
        ("Training with bit errors makes a network lose less at a rate of 1% (be_twn_resnet20)", "holds"),
        ("a ternary network loses at most 3 points at that rate", "holds"),
        ("twn_resnet20 loses less in a month than its INT8 twin, with compensation of drift", "holds"),
        ("bwn_resnet20 loses less in a month than its INT8 twin, with compensation of drift", "cannot be told"),
    ],
)
def test_each_claim_has_its_verdict(page: str, text: str, verdict: str) -> None:
    (found,) = (line for line in claims(page) if text in line)
    assert f"| {verdict} |" in found


def test_what_is_lost_beyond_the_twin_is_by_hand() -> None:
    (month,) = (c for c in SUITE.conditions if c.name == "pcm" and c.level != 1 and not c.params)
    found = loss_beyond(CARDS[2], CARDS[0], month)
    assert found is not None
    assert found[0].value == pytest.approx(-56 / IMAGES)


def test_it_goes_without_networks_that_are_not_there() -> None:
    assert len(claims(STUDY.page(CARDS[:1], {}, "p"))) == 2


def test_each_figure_draws_every_network() -> None:
    figures = dict(STUDY.figures(CARDS, {}))
    assert set(figures) == {"flips", "rates", "ageing"}
    for figure in figures.values():
        texts = {text.get_text() for text in figure.legends[0].get_texts()}
        assert {one.model.name for one in CARDS} <= texts
