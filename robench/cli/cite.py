"""robench cite."""

from typing import Annotated

import typer

from robench.cli.app import Zoo, command, say


@command
def cite(
    model: Annotated[str, typer.Argument(help="A model, for the papers that its card names, and its data set.")] = "",
    suite: Annotated[str, typer.Option(help="A suite, for the papers that its conditions name.")] = "",
    zoo: Zoo = None,
) -> None:
    """Print BibTeX of robench, and of the papers behind a model and a suite."""
    from robench.cli.show import find_card
    from robench.results import citing

    names = citing.of_model(find_card(model)) if model else []
    if suite:
        from robench import suites

        names += citing.of_conditions(suites.load(suite).conditions)
    found, unknown = citing.entries(names)
    typer.echo("\n\n".join([citing.software(), *found]))
    if unknown:
        say(f"also named, and without an entry here: {', '.join(unknown)}")
