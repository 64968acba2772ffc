"""The page of the study of bits and robustness, from cards made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from robench import suites
from robench.core.types import Condition, DataCard, Measurement, ModelCard, ResultCard
from robench.results.summary import MISSING
from robench.studies.robustmq import STUDY
from robench.studies.robustmq.numbers import (
    ATTACKS,
    CHAIN,
    HARDENED,
    HARDENED_TWIN,
    MODELS,
    beyond,
    beyond_of_both,
    fgsm,
    levels,
    missed,
    noise,
    pairs,
    per_halving,
    protocol,
)

IMAGES = 500
SUITE = suites.load(STUDY.suite)
BITS = dict(zip(CHAIN, (32, 8, 4, 2, 1), strict=True))
TWIN_OF = dict.fromkeys(CHAIN[1:], "fp_resnet20")


def card(
    name: str, fgsm: int = 300, strongest: int = 200, noise: int = 350, twin: str | None = None, bits: int | None = None
) -> ResultCard:
    """450 of 500 right; ``fgsm`` of them under FGSM at every epsilon, and 280 under PGD.

    ``strongest`` by Square, ``noise`` under noise; what goes through a smooth copy does not apply.
    """

    def measured(condition: Condition) -> Measurement:
        if dict(condition.params).get("via") == "smooth":
            nothing = np.zeros(0, bool)
            return Measurement(condition, 0, nothing, nothing, ("n/a: no step to be smoothed",))
        right = {"clean": 450, "fgsm": fgsm, "pgd": 280, "square": strongest}.get(condition.name, 290)
        top1 = np.arange(IMAGES) < (noise if condition.kind == "corruption" else right)
        return Measurement(condition, 0, top1, top1)

    model = ModelCard(name, quantizer=name.removesuffix("_resnet20"), bits=bits or BITS.get(name, 2))
    data = DataCard("cifar10", "here", IMAGES, "f" * 64)
    of = TWIN_OF.get(name, "") if twin is None else twin
    return ResultCard(model, SUITE, data, tuple(map(measured, SUITE.conditions)), (of, ""))


CARDS = [
    card("fp_resnet20", strongest=200, noise=380),
    card("int8_resnet20", fgsm=320, strongest=198, noise=378),
    card("int4_resnet20", fgsm=340, strongest=196, noise=374),
    card("twn_resnet20", fgsm=360, strongest=150, noise=366),
    card("bwn_resnet20", fgsm=380, strongest=140, noise=350),
    card(HARDENED_TWIN, bits=32, strongest=280),
    card(HARDENED, strongest=270, twin=HARDENED_TWIN),
]
KNOWN = {one.model.name: one for one in CARDS}


@pytest.fixture(scope="module")
def page() -> str:
    return STUDY.page(CARDS, {}, "p")


def claims(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.endswith("`robench reproduce robustmq` |")]


def test_the_suite_has_what_such_studies_measure_and_the_protocol() -> None:
    protocol_suite = suites.load("robench-adv")
    linf = {c for c in protocol_suite.conditions if c.kind == "attack" and dict(c.params).get("norm") != "l2"}
    assert linf < set(SUITE.conditions)
    assert {c.name for c in set(SUITE.conditions) - linf if c.kind == "attack"} == {"fgsm", "pgd"}
    assert len(levels(CARDS[0])) == 6


def test_the_protocol_is_all_attacks_together_also_below_an_epsilon() -> None:
    found = protocol(CARDS[0])
    assert found is not None
    assert found.shape == (6, IMAGES)
    assert (found.sum(1) == 200).all()
    smallest = next(row for row in CARDS[0].measurements if row.condition.name == "fgsm")
    fallen = replace(smallest, top1=np.zeros(IMAGES, bool))
    rows = tuple(fallen if row is smallest else row for row in CARDS[0].measurements)
    weak = replace(CARDS[0], measurements=rows)
    assert (protocol(weak) == 0).all()
    assert (fgsm(weak).sum(1) == [0, 300, 300, 300, 300, 300]).all()  # type: ignore[union-attr]


def test_what_is_not_measured_is_not_guessed() -> None:
    part = replace(CARDS[3], measurements=CARDS[3].measurements[:-1])
    assert protocol(part) is None
    assert beyond(part, CARDS[0], protocol) is None
    assert missed(part, fgsm) is None
    page = STUDY.page([CARDS[0], part], {}, "p")
    assert f"| twn_resnet20 | 2 | 90.0 [87.1, 92.3] | 72.0 [68.1, 75.9] | 56.0 [51.6, 60.4] | {MISSING} |" in page


def test_differences_are_by_hand() -> None:
    gap = beyond(KNOWN["twn_resnet20"], CARDS[0], fgsm)
    assert gap is not None
    assert gap.value.value == pytest.approx(60 / IMAGES)
    both = beyond_of_both(KNOWN["twn_resnet20"], CARDS[0], protocol)
    assert both is not None
    assert both.value.value == pytest.approx(-50 / 450)
    left = missed(KNOWN["twn_resnet20"], fgsm)
    assert left is not None
    assert left.mean() == pytest.approx((360 - 150) / IMAGES)


def test_the_slope_is_that_of_a_line() -> None:
    straight = {
        name: card(name, noise=400 - 10 * halvings) for name, halvings in zip(CHAIN, (0, 2, 3, 4, 5), strict=True)
    }
    slope = per_halving(straight, noise)
    assert slope is not None
    assert slope.value.value == pytest.approx(-10 / IMAGES)
    assert per_halving({name: straight[name] for name in CHAIN[1:]}, noise) is None


def test_each_network_is_compared_with_its_own_twin() -> None:
    found = [(one.model.name, twin.model.name) for one, twin in pairs(KNOWN)]
    assert found == [*((name, "fp_resnet20") for name in CHAIN[1:]), (HARDENED, HARDENED_TWIN)]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The fewer bits, the more accurate under attack, by FGSM.", "holds"),
        ("The fewer bits, the more accurate under attack, by PGD.", "cannot be told"),
        ("The fewer bits, the more accurate under attack, by protocol.", "does not hold"),
        ("The fewer bits, the less accurate under noise.", "holds"),
        ("twn_resnet20 is more accurate under attack than fp_resnet20, by FGSM.", "holds"),
        ("twn_resnet20 is more accurate under attack than fp_resnet20, by protocol.", "does not hold"),
        ("int8_resnet20 is more accurate under attack than fp_resnet20, by protocol.", "cannot be told"),
        ("at_twn_resnet20 is more accurate under attack than at_fp_resnet20, by protocol.", "does not hold"),
        ("FGSM flatters twn_resnet20 more than fp_resnet20.", "holds"),
    ],
)
def test_each_claim_has_its_verdict(page: str, text: str, verdict: str) -> None:
    (found,) = (line for line in claims(page) if text in line)
    assert f"| {verdict} |" in found


def test_three_trainings_are_averaged(page: str) -> None:
    assert "## Three trainings" not in page
    seeds = [card(f"{name}_seed{n}", fgsm=300 + 20 * n, twin="", bits=2) for name in ("fp_resnet20",) for n in (1, 2)]
    ternary = [card(f"twn_resnet20_seed{n}", fgsm=360 + 20 * n, bits=2) for n in (1, 2)]
    found = STUDY.page([*CARDS, *seeds, *ternary], {}, "p")
    (line,) = (line for line in found.split("## Three trainings")[1].splitlines() if line.startswith("| FGSM |"))
    assert line.endswith("| +12.0 [+12.0, +12.0] |")


def test_a_network_alone_has_a_page() -> None:
    page = STUDY.page(CARDS[:1], {}, "p")
    assert claims(page) == []
    assert "## Against" not in page


def test_each_figure_draws_its_networks() -> None:
    figures = dict(STUDY.figures(CARDS, {}))
    texts = [text.get_text() for text in figures["epsilons"].legends[0].get_texts()]
    assert texts == [*CHAIN, HARDENED_TWIN, HARDENED]
    assert [text.get_text() for text in figures["bits"].legends[0].get_texts()] == [*ATTACKS, "noise"]


def test_all_networks_are_in_the_zoo() -> None:
    from robench import zoo

    assert all(zoo.find(name, "cifar10") for name in MODELS)
