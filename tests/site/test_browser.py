"""In a browser, as a reader would use the site."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robench.results import cards
from robench.results.compare import compare
from robench.results.leaderboard import of_one_version
from robench.results.scores import score, score_difference, score_p
from robench.results.stats import Estimate
from robench.site.boards import Board, boards_of, model_id

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "leaderboards" / "cards"
V1 = "robench-v1.cifar10.b807f7d2"
ROWS = ".tabulator-row"
NAMES = ".tabulator-row [tabulator-field='name']"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
PAGES = [
    f"index.html#board={V1}&bits=2&gaps=1&open=noise,attacks",
    "curves.html",
    "pareto.html",
    "compare.html",
    "studies/poster-2018.html",
    "methods.html",
    "models/w8a8_resnet20.cifar10.b807f7d2.html",
]


@pytest.fixture(scope="module")
def board() -> Board:
    return next(b for b in boards_of(of_one_version(CARDS)) if b.id == V1)


def address(site: Path, page: str) -> str:
    return f"{site.as_uri()}/{page}"


def names(page: Any) -> list[str]:
    return page.locator(NAMES).all_inner_texts()


def ready(page: Any, fragment: str) -> None:
    page.wait_for_function("text => document.body.dataset.ready.includes(text)", arg=fragment)


def by_noise(board: Board, bits: int) -> list[str]:
    found = [(score(card, "noise"), card.model.name) for card in board.cards if card.model.bits == bits]
    return [name for estimate, name in sorted(found, key=lambda pair: -pair[0].value) if isinstance(estimate, Estimate)]


def test_which_two_bit_network_for_a_noisy_camera(site: Path, look, board: Board) -> None:
    page = look(address(site, "index.html"))
    page.get_by_label("Bits of a weight").select_option("2")
    page.get_by_label("What it has to withstand").select_option(label="a noisy camera")
    ready(page, "bits=2")
    wanted = by_noise(board, 2)
    assert names(page) == wanted
    told = page.locator("#answer").inner_text()
    assert told.startswith(f"{wanted[0]} is first of the {len(wanted)} shown")
    assert re.search(r"How sure\? The next is \w+\. Image by image the difference is .*points", told)
    again = look(page.url)
    assert names(again) == wanted
    assert again.locator("#answer").inner_text() == told


def test_which_for_a_memory_with_bit_errors(site: Path, look) -> None:
    page = look(address(site, "index.html"))
    page.locator("select[name=data]").select_option(label="digits, 1000 images")
    page.locator("select[name=purpose]").select_option(label="a memory, bit error rate 0.001")
    page.wait_for_function("() => document.getElementById('answer').textContent.includes('bit_error 0.001')")
    told = page.locator("#answer").inner_text()
    memory = next(b for b in boards_of(of_one_version(CARDS)) if b.id.startswith("robench-memory.digits."))
    condition = next(c for c in memory.suite.conditions if (c.name, c.level, c.params) == ("bit_error", 0.001, ()))
    right = {card.model.name: np.mean([m.correct for m in card.of(condition)]) for card in memory.cards}
    first, rest = told.split(" ", 1)
    assert rest.startswith(f"is first of the {len(right)} shown")
    assert right[first] > max(right.values()) - 1  # the page has a tenth of a percent, one image
    assert "bit_error 0.001" in page.locator(".tabulator-header").inner_text()


def test_a_heading_sorts_by_click_and_by_keyboard(site: Path, look) -> None:
    page = look(address(site, "index.html"))
    heading = page.get_by_role("button", name="clean", exact=True)
    heading.click()
    page.wait_for_function("() => location.hash.includes('sort=clean')")
    values = [float(text.split()[0]) for text in page.locator(f"{ROWS} [tabulator-field='clean'] b").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    heading.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('dir=asc')")
    assert names(look(page.url)) == names(page)


def test_filters(site: Path, look) -> None:
    page = look(address(site, "index.html"))
    page.get_by_label("Name", exact=True).fill("twn")
    page.get_by_label("At most").fill("100")
    ready(page, "size=100")
    assert names(page)
    assert all("twn" in name for name in names(page))
    page.get_by_label("Name", exact=True).fill("nothing is called that")
    page.wait_for_function("() => document.getElementById('count').textContent.startsWith('0 of')")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("() => /^(\\d+) of \\1/.test(document.getElementById('count').textContent)")
    page.get_by_label("State").select_option("flagged")
    ready(page, "state=flagged")
    assert sorted(names(page)) == ["bnn_resnet20", "w8a8_resnet20"]


def test_parts_fold_and_differences_switch(site: Path, look) -> None:
    page = look(address(site, "index.html"))
    assert not page.locator(".tabulator-header").get_by_text("speckle").count()
    page.get_by_role("button", name="Clean and input noise (4)").click()
    page.locator(".tabulator-header").get_by_text("speckle").wait_for()
    assert not page.locator(f"{ROWS} .gap").count()
    page.get_by_label("differences to the twin").check()
    page.locator(f"{ROWS} .gap").first.wait_for()
    shared = look(page.url)
    assert shared.locator(f"{ROWS} .gap").count()
    assert shared.locator(".tabulator-header").get_by_text("speckle").count()


def test_a_flag_is_told_on_hover_on_tap_and_by_keyboard(site: Path, look) -> None:
    page = look(address(site, "index.html#state=flagged"))
    flag, told = page.locator(".flag").first, page.locator(".popover:popover-open")
    flag.hover()
    assert "unpredictable" in told.inner_text()
    page.mouse.move(0, 0)
    assert not told.count()
    flag.focus()
    page.keyboard.press("Enter")
    assert "unpredictable" in told.inner_text()
    page.keyboard.press("Escape")
    assert not told.count()
    phone = look(address(site, "index.html#state=flagged&sort=score:attacks"), **PHONE)
    phone.locator(".flag").first.tap()
    assert "unpredictable" in phone.locator(".popover:popover-open").inner_text()


def test_a_model_opens(site: Path, look) -> None:
    page = look(address(site, "index.html"))
    page.get_by_role("link", name="bc_resnet20", exact=True).first.click()
    page.wait_for_selector("body[data-ready] figure svg")
    assert page.locator("h1").inner_text() == "bc_resnet20"
    assert all("robench evaluate --model bc_resnet20 " in text for text in page.locator("pre").all_inner_texts())
    page.get_by_role("link", name="row by row, image by image").first.click()
    page.wait_for_selector(f"body[data-ready] {ROWS}")
    assert page.locator("#answer").inner_text().startswith("bc_resnet20 against fp_resnet20")


def test_the_table_is_exported_as_it_is_shown(site: Path, look) -> None:
    page = look(address(site, "index.html#bits=2"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="This table as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    assert [row["model"] for row in rows] == names(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="This table as JSON").click()
    same = json.loads(Path(saved.value.path()).read_text())
    assert [str(row["clean"]) for row in same] == [row["clean"].removesuffix(".0") for row in rows]
    shown = page.locator(f"{ROWS} [tabulator-field='clean'] b").all_inner_texts()
    assert [f"{row['clean']:.1f}" for row in same] == shown
    assert page.get_by_role("link", name="All numbers, CSV").get_attribute("href") == f"data/{V1}.csv"


def test_two_models_are_compared_as_the_command_compares_them(site: Path, look) -> None:
    pair = ["ttq_resnet20.cifar10.b807f7d2", "bc_resnet20.cifar10.b807f7d2"]
    page = look(address(site, f"compare.html#board={V1}&a={pair[0]}&b={pair[1]}"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="This table as JSON").click()
    found = json.loads(Path(saved.value.path()).read_text())
    wanted = compare(*(cards.read(CARDS / f"{name.split('.')[0]}.cifar10.robench-v1.n1017.json") for name in pair))
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        parts = [100 * part for part in (theirs.difference.value, theirs.difference.low, theirs.difference.high)]
        bootstrap = ours["condition"] in ("gaussian", "poisson", "salt_and_pepper", "speckle")
        shown = [ours["difference"], ours["difference low"], ours["difference high"]]
        assert shown == pytest.approx(parts, abs=0.2 if bootstrap else 1e-6)
        assert ours["p"] == pytest.approx(theirs.p, abs=0.02 if bootstrap else 1e-6)


def test_differences_of_scores_are_those_of_the_package(site: Path, look, board: Board) -> None:
    page = look(address(site, "index.html"))
    pair = [next(card for card in board.cards if card.model.name == name) for name in ("bc_resnet20", "w8a8_resnet20")]
    for part in board.parts:
        if not part.scored:
            continue
        found = page.evaluate(
            """async ([board, keys, part]) => {
                const [data, ...outcomes] = await Promise.all([board, ...keys].map(robench.load));
                const { families } = data.parts.find((one) => one.key === part);
                const { estimate, p } = robench.pairing.scoreDifference(...outcomes, families);
                return [...estimate, p];
            }""",
            [board.id, [f"{model_id(card)}.{board.suite.name}" for card in pair], part.key],
        )
        wanted = score_difference(*pair, part.key)
        assert isinstance(wanted, Estimate)
        shown = [100 * wanted.value, 100 * wanted.low, 100 * wanted.high]
        assert found[:3] == pytest.approx(shown, abs=1e-6)
        assert found[3] == pytest.approx(score_p(*pair, part.key), abs=1e-6)


def test_curves_of_the_models_that_are_chosen(site: Path, look) -> None:
    page = look(address(site, "curves.html"))
    drawn = page.locator("#models input:checked").count()
    page.get_by_label("tr_sign_c").check()
    assert page.locator("#models input:checked").count() == drawn + 1
    again = look(page.url)
    assert again.locator("#models input:checked").count() == drawn + 1
    again.locator("figure summary").first.click()
    assert "tr_sign_c" in again.locator("figure table").first.inner_text()


def test_sizes_against_scores(site: Path, look) -> None:
    page = look(address(site, "pareto.html"))
    page.locator("select[name=score]").select_option("clean")
    ready(page, "score=clean")
    front = page.locator(
        f"{ROWS}:has([tabulator-field='front'] span:text-is('yes')) [tabulator-field='name']"
    ).all_inner_texts()
    assert front[0] == "bc_resnet20"
    assert "alexnet_none_c" not in front


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(site: Path, look, name: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="install robench[test] to run this test")
    page = look(address(site, name), color_scheme="dark", reduced_motion="reduce")  # colours change at once
    for theme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        only = {"preload": False} | ({} if theme == "dark" else {"runOnly": ["color-contrast"]})
        found = axe.Axe().run(page, options=only).response["violations"]
        assert not found, [(one["id"], one["nodes"][0]["html"]) for one in found]


def test_nothing_is_wider_than_a_phone(site: Path, look) -> None:
    for name in (PAGES[0], "pareto.html", "compare.html", "models/int8_resnet20.digits.e08288cb.html"):
        page = look(address(site, name), **PHONE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.context.close()


def test_colours_are_kept(site: Path, look) -> None:
    page = look(address(site, "index.html"), color_scheme="light")
    page.get_by_role("button", name="Dark colours").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_first_view_is_light_and_the_same_from_a_server(served: str, look) -> None:
    page = look(f"{served}/index.html")
    assert len(names(page)) > 10
    sent = "performance.getEntries().reduce((sum, one) => sum + (one.transferSize || 0), 0)"
    assert 100_000 < page.evaluate(sent) < 1_000_000


def test_hostile_cards_change_no_page(hostile: Path, look) -> None:
    for path in [*sorted(hostile.glob("*.html")), *sorted((hostile / "models").glob("*.html"))]:
        page = look(path.as_uri())
        assert "hacked" not in page.title() or "document.title" in page.title()
        assert page.locator("main img").count() == 0
        assert page.locator("main script").count() == 0
        page.context.close()


def test_hostile_flags_and_conditions_are_text(hostile: Path, look) -> None:
    page = look(address(hostile, "index.html#open=noise,attacks&gaps=1"))
    assert "<img src=x" in page.locator(".tabulator-header").inner_text()
    page.locator(".flag").first.hover()
    told = page.locator(".popover:popover-open").inner_text()
    assert "onerror" in told or "script" in told or "a|b" in told
    assert page.locator("main img").count() == 0


def test_one_card_without_a_twin(build, look, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    for path in CARDS.glob("int8_resnet20.digits.robench-v1.*"):
        shutil.copy(path, tmp_path / "cards")
    out = build(tmp_path / "cards", tmp_path / "site")
    page = look(address(out, "index.html#gaps=1"))
    assert "int8_resnet20 is the only one shown" in page.locator("#answer").inner_text()
    for name in ("curves", "pareto", "compare", "models/int8_resnet20.digits.e08288cb"):
        look(address(out, f"{name}.html"))
    assert "has no card on this board" in look(address(out, "models/int8_resnet20.digits.e08288cb.html")).content()


def test_no_cards_say_what_to_do(build, look, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    page = look(address(build(tmp_path / "cards", tmp_path / "site"), "index.html"))
    assert "robench evaluate" in page.locator("main").inner_text()
