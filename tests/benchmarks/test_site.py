"""The site with five hundred cards, in a browser: the first view, sorting, filtering."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robench.core.types import Measurement, ResultCard
from robench.results import cards
from robench.site.build import write_site

CARDS = 500
FOLDER = Path(__file__).parents[2] / "leaderboards" / "cards"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a site of synthetic cards: the outcomes of a published one, a share of them turned."""
    folder, out = tmp_path_factory.mktemp("cards"), tmp_path_factory.mktemp("site")
    twin, card = (cards.read(FOLDER / f"{name}.digits.robench-v1.json") for name in ("fp_resnet20", "twn_resnet20"))
    cards.write(twin, folder)
    for index in range(1, CARDS):
        cards.write(synthetic(card, index), folder)
    return write_site(folder, out, folder, pytest.fail, lambda done, total: None).as_uri()


def synthetic(card: ResultCard, index: int) -> ResultCard:
    rng = np.random.default_rng(index)

    def turned(m: Measurement) -> Measurement:
        top1 = m.top1 & (rng.random(m.total) > 0.2 * rng.random())
        return replace(m, top1=top1, rounded=top1 if len(m.rounded) else m.rounded)

    model = replace(
        card.model, name=f"net{index}", bits=int(rng.choice([1, 2, 4, 8])), stored_bytes=int(rng.integers(5e4, 1e6))
    )
    return replace(card, model=model, measurements=tuple(map(turned, card.measurements)))


@pytest.fixture
def page(chromium: Any) -> Any:
    return chromium.new_page(viewport={"width": 1400, "height": 900})


def visit(page: Any, address: str) -> None:
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("body[data-ready]")


def change(page: Any, fragment: str) -> None:
    page.evaluate("text => { delete document.body.dataset.ready; location.hash = text; }", fragment)
    page.wait_for_selector("body[data-ready]")


def timed(benchmark, group: str, act: Callable[[], None]) -> None:
    benchmark.group = f"site, {CARDS} cards: {group}"
    benchmark.pedantic(act, rounds=5)


@pytest.mark.parametrize("name", ["index", "curves", "pareto", "compare"])
def test_first_view(benchmark, site: str, page: Any, name: str) -> None:
    address = site.replace("index.html", f"{name}.html")
    timed(benchmark, name, lambda: visit(page, address))


@pytest.mark.parametrize("fragment", ["sort=clean", "bits=2", "gaps=1", "open=noise,attacks"])
def test_change_of_the_view(benchmark, site: str, page: Any, fragment: str) -> None:
    visit(page, site)
    fragments = iter([fragment, ""] * 5)
    timed(benchmark, fragment, lambda: change(page, next(fragments)))
