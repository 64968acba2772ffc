"""A site of the published cards, one of cards that say hostile things, and a browser to look at them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from robench.core.types import Condition, ResultCard
from robench.results import cards
from robench.site.build import write_site

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "leaderboards" / "cards"
HOSTILE = (
    "<img src=x onerror=\"document.title='hacked'\">",
    "a|b",
    "</script><script>document.title='hacked'</script>",
)

Build = Callable[[Path, Path], Path]


@pytest.fixture(scope="session")
def build() -> Build:
    """(folder of cards, folder of the site) -> the site's folder."""

    def built(folder: Path, out: Path) -> Path:
        def refuse(reason: str) -> None:
            raise AssertionError(reason)

        return write_site(folder, out, ROOT / "leaderboards" / "studies", refuse, lambda done, total: None).parent

    return built


@pytest.fixture(scope="session")
def published() -> list[ResultCard]:
    """The published cards on digits."""
    return [cards.read(path) for path in sorted(CARDS.glob("*.digits.*.json"))]


@pytest.fixture(scope="session")
def site(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of all published cards."""
    return build(CARDS, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def hostile(build: Build, published: list[ResultCard], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of cards in which every text that a card may say is markup."""
    folder = tmp_path_factory.mktemp("cards")
    for name, card in zip(HOSTILE, published, strict=False):
        cards.write(spoilt(card, name), folder)
    return build(folder, tmp_path_factory.mktemp("hostile"))


def spoilt(card: ResultCard, text: str) -> ResultCard:
    """A card that says ``text`` wherever it can; the name of a condition is the same in all, as suites are."""

    def renamed(condition: Condition) -> Condition:
        return replace(condition, name=HOSTILE[0]) if condition.name == "speckle" else condition

    found = tuple(replace(m, condition=renamed(m.condition), flags=(text,)) for m in card.measurements)
    suite = replace(card.suite, conditions=tuple(map(renamed, card.suite.conditions)))
    model = replace(
        card.model, name=text, architecture=text, quantizer=text, paper=text, source=text, training={text: text}
    )
    data = replace(card.data, name=text, source=text)
    provenance = {text: text, "created": text}
    return replace(card, model=model, suite=suite, data=data, measurements=found, provenance=provenance)


@pytest.fixture
def look(chromium: Any) -> Iterator[Callable[..., Any]]:
    """``look(address, **options of the context)`` -> the page when it is ready.

    A test fails on any error of the console, any failed request, and any request elsewhere than to the site.
    """
    troubles: list[str] = []
    contexts = []

    def looked(address: str, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(f"{request.url} failed"))
        origin = address[: address.index("/", 8)] if address.startswith("http") else "file://"
        page.on("request", lambda r: None if r.url.startswith((origin, "data:", "blob:")) else troubles.append(r.url))
        page.goto(address)
        if page.locator("[src$='common.js']").count():
            page.wait_for_selector("body[data-ready]")
        return page

    yield looked
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The address of the site on a web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
