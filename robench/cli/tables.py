"""Result tables on a terminal."""

from rich.table import Table
from rich.text import Text

from robench.core.types import ResultCard
from robench.results.summary import accuracy, difference, flags, fooling, groups, percent


def result_table(card: ResultCard, twin: ResultCard | None) -> Table:
    """Every condition of a card, beside the twin's and the paired difference, with 95% intervals."""
    model, data = card.model, card.data
    table = Table(
        title=f"{model.name} ({model.bits} bit) on {data.n} images of {data.name} ({data.source}), {card.suite.name}",
        caption="Top-1 accuracy in percent, differences in points, 95% intervals."
        + (" Bold: the interval of the difference excludes 0." if twin else ""),
    )
    table.add_column("condition")
    table.add_column(model.name, justify="right")
    if twin:
        table.add_column(f"{twin.model.name} (twin)", justify="right")
        table.add_column("difference", justify="right")
    section = ""
    for group in groups(card.suite):
        if group.section != section:
            section = group.section
            table.add_section()
            table.add_row(Text(section, style="bold cyan"))
        cells: list[str | Text] = [group.label + (" *" if flags(card, group) else ""), percent(accuracy(card, group))]
        if twin:
            gap = difference(card, twin, group)
            sure = not isinstance(gap, str) and (gap.low > 0 or gap.high < 0)
            cells += [percent(accuracy(twin, group)), Text(percent(gap, signed=True), style="bold" if sure else "")]
        table.add_row(*cells)
    notes = sorted({flag for group in groups(card.suite) for flag in flags(card, group)})
    if notes:
        table.caption = f"{table.caption}\n* " + "\n* ".join(notes)
    sentences = [*fooling(card, twin), *(fooling(twin) if twin else [])]
    if sentences:
        table.caption = "\n".join([str(table.caption), *sentences])
    return table
