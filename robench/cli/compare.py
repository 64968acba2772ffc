"""robench compare."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from robench.cli.app import command, results
from robench.core.errors import RobenchError
from robench.core.types import ResultCard

FOLDERS = (Path("runs"), Path("leaderboards/cards"))


@command
def compare(
    first: Annotated[str, typer.Argument(help="A result card (.json), or the start of its name in runs/.")],
    second: Annotated[str, typer.Argument(help="Likewise; differences are first minus second.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")] = False,
) -> None:
    """Compare two models condition by condition, paired by image, with Holm's correction over the conditions."""
    from robench import cards

    pair = [cards.read(cards.find(name, FOLDERS)) for name in (first, second)]
    if pair[0].data != pair[1].data or pair[0].suite != pair[1].suite:
        raise RobenchError(f"{first} and {second} were not measured on the same images under the same suite.")
    rows = comparison(*pair)
    if as_json:
        results.print_json(json.dumps(rows))
        return
    results.print(_table(rows, *pair))


def comparison(first: ResultCard, second: ResultCard) -> list[dict[str, Any]]:
    """One row for each condition that both were measured under."""
    from robench.report.summary import accuracy, difference, groups, p_value
    from robench.stats import Estimate, holm

    rows: list[dict[str, Any]] = []
    for group in groups(first.suite):
        p = p_value(first, second, group)
        shown = [accuracy(first, group), accuracy(second, group), difference(first, second, group)]
        if p is not None:
            values = [asdict(estimate) for estimate in shown if isinstance(estimate, Estimate)]
            names = dict(zip(("first", "second", "difference"), values, strict=True))
            rows.append({"section": group.section, "condition": group.label, **names, "p": p})
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
    return rows


def _table(rows: list[dict[str, Any]], first: ResultCard, second: ResultCard) -> Table:
    from robench.report.summary import percent
    from robench.stats import Estimate

    names = first.model.name, second.model.name
    table = Table(
        title=f"{names[0]} against {names[1]} on {first.data.n} images of {first.data.name}, {first.suite.name}",
        caption="Top-1 accuracy in percent, differences in points, 95% intervals. p: exact McNemar for one condition, "
        "bootstrap over images (and draws) for several. Holm: p adjusted for all rows.",
    )
    for title in ("condition", *names, "difference", "p", "Holm"):
        table.add_column(title, justify="left" if title == "condition" else "right")
    section = ""
    for row in rows:
        if row["section"] != section:
            section = row["section"]
            table.add_section()
            table.add_row(f"[bold cyan]{section}[/]")
        shown = [
            percent(Estimate(**row[name]), signed=name == "difference") for name in ("first", "second", "difference")
        ]
        table.add_row(
            row["condition"],
            *shown,
            f"{row['p']:.2g}",
            f"{row['p_holm']:.2g}",
            style="bold" if row["p_holm"] < 0.05 else "",
        )
    return table
