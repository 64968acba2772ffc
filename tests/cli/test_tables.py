"""Terminal tables: the short form fits 80 columns, the full one breaks no cell."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from robench.cli.tables import full_table, print_whole, short_tables
from robench.core.types import ResultCard
from robench.results import cards
from robench.results.scores import parts, score
from robench.results.summary import accuracy, difference, groups, percent

CARDS = Path(__file__).parents[2] / "leaderboards" / "cards"
PAIRS = [
    ("twn_resnet20.cifar10.robench-v1.n1017", "fp_resnet20.cifar10.robench-v1.n1017"),
    ("bnn_resnet20.digits.robench-v1", ""),
    ("int8_resnet20.digits.robench-memory", ""),
]


def read(name: str) -> ResultCard | None:
    return cards.read(CARDS / f"{name}.json") if name else None


def console() -> Console:
    return Console(file=io.StringIO(), width=80, markup=False, highlight=False)


def short(card: ResultCard, twin: ResultCard | None) -> str:
    screen = console()
    screen.print(*short_tables(card, twin), sep="\n")
    return screen.file.getvalue()


def test_bits_are_in_the_title_where_weights_are_seen() -> None:
    card = read(PAIRS[0][0])
    assert card is not None
    assert "twn_resnet20 (2 bit) on" in short(card, None)
    assert "twn_resnet20 on" in short(replace(card, model=replace(card.model, weights=0)), None)


@pytest.mark.parametrize("names", PAIRS)
def test_the_short_form_fits_80_columns_and_breaks_no_cell(names: tuple[str, str]) -> None:
    card, twin = map(read, names)
    assert card is not None
    text = short(card, twin)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for part in parts(card.suite):
        assert percent(score(card, part)) in text
    words = set(text.split())
    for group in groups(card.suite):
        if group.outcome == "top1":
            assert percent(accuracy(card, group)).partition(" ")[0] in words
        if group.outcome == "top1" and twin:
            assert percent(difference(card, twin, group), signed=True).partition(" ")[0] in words


@pytest.mark.parametrize("names", PAIRS)
def test_the_full_form_has_every_interval_unbroken(names: tuple[str, str]) -> None:
    card, twin = map(read, names)
    assert card is not None
    screen = console()
    print_whole(screen, full_table(card, twin))
    text = screen.file.getvalue()
    assert "…" not in text
    for group in groups(card.suite):
        assert percent(accuracy(card, group)) in text
        if twin:
            assert percent(accuracy(twin, group)) in text
            assert percent(difference(card, twin, group), signed=True) in text


def test_a_long_name_breaks_nothing() -> None:
    card, twin = map(read, PAIRS[0])
    assert card is not None
    assert twin is not None
    name = "path/to/a/model/with/a/very/long/name.py:and_a_factory_with_another[bold]"
    text = short(
        replace(card, model=replace(card.model, name=name)), replace(twin, model=replace(twin.model, name=name))
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "[bold]" in re.sub(r"\s", "", text)


def test_only_differences_that_exclude_0_are_bold() -> None:
    card, twin = map(read, PAIRS[0])
    assert card is not None
    screen = Console(
        file=io.StringIO(), width=80, markup=False, highlight=False, force_terminal=True, color_system="standard"
    )
    screen.print(*short_tables(card, twin), sep="\n")
    bold = re.findall(r"\x1b\[1m\s*([-+][\d.]+)", screen.file.getvalue())
    assert "-7.7" in bold
    assert "-0.6" not in bold
