"""Result tables on a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from robench.core.types import CLEAN, ResultCard
from robench.results.scores import parts, score, score_difference
from robench.results.stats import Estimate
from robench.results.summary import Group, accuracy, difference, flags, fooling, groups, percent, together

NARROW = 80
"""Columns of a terminal that the short form fits."""
GAP = 2
LABEL = 28
"""Columns for the name of a row; longer names go on below."""
SMALLEST = 5
"""Columns for a number without its interval."""
HEADING = "bold cyan"
DIFFERENCE = "  difference"


def short_tables(card: ResultCard, twin: ResultCard | None) -> Iterator[RenderableType]:
    """A card on 80 columns: scores, then a line for each condition, or a column for each level of one.

    Where levels are columns there is no room for intervals; ``full_table`` has them all.
    """
    against = f" against {twin.model.name}" if twin else ""
    yield Text(f"{_subject(card)}{against}", style="bold")
    yield score_table(card, twin)
    rows = [group for group in groups(card.suite) if group.outcome == "top1"]
    for section in dict.fromkeys(group.section for group in rows):
        yield Text(f"\n{section}", style=HEADING)
        yield from _section([group for group in rows if group.section == section], card, twin)
    yield Text(f"\n{_legend(twin)} --full shows every interval.", style="dim")
    yield from map(Text, _notes(card, twin))


def score_table(card: ResultCard, twin: ResultCard | None) -> Table:
    """Clean accuracy, and the score of each part of a suite."""
    table = _lines("", twin)
    rows: list[tuple[str, Estimate | str, Estimate | str]] = []
    if CLEAN in card.suite.conditions:
        clean = together(CLEAN)
        rows.append(("clean", accuracy(card, clean), difference(card, twin, clean) if twin else ""))
    for part, conditions in parts(card.suite).items():
        name = f"{part} ({len(conditions)} condition{'s' * (len(conditions) > 1)})"
        rows.append((name, score(card, part), score_difference(card, twin, part) if twin else ""))
    for name, value, gap in rows:
        table.add_row(name, percent(value), *([_gap(gap)] if twin else []))
    return table


def full_table(card: ResultCard, twin: ResultCard | None) -> Table:
    """Every condition of a card, beside the twin's and the paired difference, with 95% intervals."""
    table = Table(title=_subject(card), caption="\n".join([_legend(twin), *_notes(card, twin)]), caption_justify="left")
    table.add_column("condition", no_wrap=True)
    table.add_column(card.model.name, justify="right", no_wrap=True)
    if twin:
        table.add_column(f"{twin.model.name} (twin)", justify="right", no_wrap=True)
        table.add_column("difference", justify="right", no_wrap=True)
    section = ""
    for group in groups(card.suite):
        if group.section != section:
            section = group.section
            table.add_section()
            table.add_row(Text(section, style=HEADING))
        cells: list[str | Text] = [group.label + (" *" if flags(card, group) else ""), percent(accuracy(card, group))]
        if twin:
            cells += [percent(accuracy(twin, group)), _gap(difference(card, twin, group))]
        table.add_row(*cells)
    return table


def print_whole(console: Console, table: Table) -> None:
    """Print a table without breaking a cell, also where its lines are longer than those of the console."""
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    Console(file=console.file, width=max(console.width, needed), markup=False, highlight=False).print(table)


def _subject(card: ResultCard) -> str:
    model, data = card.model, card.data
    bits = f" ({model.bits} bit)" if model.weights else ""  # unknown where no weight is seen
    return f"{model.name}{bits} on {data.n:,} images of {data.name} ({data.source}), {card.suite.name}"


def _legend(twin: ResultCard | None) -> str:
    text = "Top-1 accuracy in percent, 95% intervals."
    if twin:
        text = "Top-1 accuracy in percent, differences in points, 95% intervals. Bold: that of a difference excludes 0."
    return text


def _notes(card: ResultCard, twin: ResultCard | None) -> list[str]:
    told = sorted({flag for group in groups(card.suite) for flag in flags(card, group)})
    model = card.model
    seen = [f"Weights seen: {model.weights:,} of {model.weights_in_all:,}."] if model.weights_in_all else []
    return [*(f"* {flag}" for flag in told), *fooling(card, twin), *(fooling(twin) if twin else []), *seen]


def _section(rows: Sequence[Group], card: ResultCard, twin: ResultCard | None) -> Iterator[Table]:
    """Rows with their intervals where they stand alone; families of levels, equal ones together."""
    families: dict[str, list[Group]] = {}
    for group in rows:
        families.setdefault(group.family, []).append(group)
    alone = [family[0] for family in families.values() if len(family) == 1]
    if alone:
        table = _lines("", twin)
        for group in alone:
            cells: list[str | Text] = [_marked(group.label, card, [group]), percent(accuracy(card, group))]
            table.add_row(*cells, *([_gap(difference(card, twin, group))] if twin else []))
        yield table
    together: dict[tuple[str, ...], list[list[Group]]] = {}
    for family in families.values():
        if len(family) > 1:
            together.setdefault(tuple(group.level for group in family), []).append(family)
    for levels, found in together.items():
        yield from _levels(levels, found, card, twin)


def _lines(heading: str, twin: ResultCard | None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column(heading, min_width=LABEL, overflow="fold")
    table.add_column("accuracy", justify="right", no_wrap=True)
    if twin:
        table.add_column("difference", justify="right", no_wrap=True)
    return table


def _levels(
    levels: Sequence[str], families: Sequence[Sequence[Group]], card: ResultCard, twin: ResultCard | None
) -> Iterator[Table]:
    """Tables with a column for each level, as many side by side as there is room for."""
    width = max(SMALLEST, *map(len, levels)) + GAP
    label = min(max(len(DIFFERENCE), *(len(_marked(family[0].family, card, family)) for family in families)), LABEL)
    tables = -(-len(levels) // ((NARROW - label) // width))
    most = -(-len(levels) // tables)
    for start in range(0, len(levels), most):
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        table.add_column("", width=label, overflow="fold")
        for level in levels[start : start + most]:
            table.add_column(level, justify="right", no_wrap=True, min_width=SMALLEST)
        for family in families:
            shown = family[start : start + most]
            table.add_row(_marked(family[0].family, card, family), *(_value(accuracy(card, group)) for group in shown))
            if twin:
                gaps = [_gap(difference(card, twin, group), short=True) for group in shown]
                table.add_row(DIFFERENCE, *gaps)
        yield table


def _marked(name: str, card: ResultCard, family: Sequence[Group]) -> str:
    return name + (" *" if any(flags(card, group) for group in family) else "")


def _value(estimate: Estimate | str) -> str:
    return percent(estimate).partition(" ")[0]


def _gap(gap: Estimate | str, *, short: bool = False) -> Text:
    text = percent(gap, signed=True)
    sure = not isinstance(gap, str) and (gap.low > 0 or gap.high < 0)
    return Text(text.partition(" ")[0] if short else text, style="bold" if sure else "")
