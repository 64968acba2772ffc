"""robench confirm, robench verify."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robench.cli.app import DataDir, Device, Trust, Zoo, command, results, say
from robench.core.errors import RobenchError

if TYPE_CHECKING:
    from robench.core.types import ResultCard
    from robench.proof.confirm import Confirmation
    from robench.proof.verify import Comparison

CardFile = Annotated[Path, typer.Argument(metavar="CARD", help="A result card (.json).")]
ModelOf = Annotated[str, typer.Option(help="The model that the card is of, where it is none of the zoo.")]
Checkpoint = Annotated[Path | None, typer.Option(help="Its weights, of a factory or timm's.")]
DatasetOf = Annotated[str, typer.Option(help="The images that the card is of, where it names no registered data set.")]
Record = Annotated[
    Path | None, typer.Option(metavar="BOARD", help="Write the result into the board's record, which its tables show.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


@command
def confirm(
    card: CardFile,
    witness: Annotated[Path, typer.Option(metavar="FOLDER", help="Of robench evaluate --witness.")],
    model: ModelOf = "",
    checkpoint: Checkpoint = None,
    dataset: DatasetOf = "",
    data_dir: DataDir = None,
    device: Device = "auto",
    record: Record = None,
    zoo: Zoo = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """See with one forward pass a condition whether what a card calls fallen falls."""
    from robench.results import cards

    read = cards.read(card)
    if not witness.is_dir():
        raise RobenchError(f"there is no folder {witness}; name the one that was given as --witness.")
    from robench.proof.again import again
    from robench.proof.confirm import confirm as look

    with again(
        read,
        model=model,
        dataset=dataset,
        data_dir=data_dir,
        device=device,
        trust=trust,
        notify=say,
        checkpoints=(checkpoint,) if checkpoint else (),
    ) as work:
        found = []
        for one in look(work, witness):
            found.append(one)
            if not as_json:
                results.print(_confirmation(one), soft_wrap=True)
    if as_json:
        results.print_json(json.dumps([_as_data(one) for one in found]))
    wrong = [one for one in found if not one.confirmed]
    if wrong or not found:
        raise RobenchError(
            f"{len(wrong)} of {len(found)} measurements are not confirmed; see above."
            if found
            else "the card has no measurement that leaves a witness (attacks, bit-flip attacks)."
        )
    total = sum(one.fallen for one in found)
    if not as_json:
        results.print(f"confirmed: {total:,} of {total:,} fallen images in {len(found)} measurements", soft_wrap=True)
    if record:
        _record(record, card, read, "confirmed by witness", len(found), 0)


@command
def verify(
    card: CardFile,
    share: Annotated[float, typer.Option(help="Of the card's measurements, chosen at random.")] = 0.05,
    seed: Annotated[int | None, typer.Option(help="Of the choice; one that nobody can foresee by default.")] = None,
    model: ModelOf = "",
    checkpoint: Checkpoint = None,
    dataset: DatasetOf = "",
    data_dir: DataDir = None,
    device: Device = "auto",
    record: Record = None,
    zoo: Zoo = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Hold a card to its model, its images and its suite, and measure a random sample of it again."""
    from robench.results import cards

    read = cards.read(card)
    from robench.proof.again import again
    from robench.proof.contradictions import contradictions
    from robench.proof.verify import compare_again, model_differences, sample

    complaints = list(contradictions(read, card))
    with again(
        read,
        model=model,
        dataset=dataset,
        data_dir=data_dir,
        device=device,
        trust=trust,
        notify=say,
        checkpoints=(checkpoint,) if checkpoint else (),
    ) as work:
        complaints += model_differences(work)
        chosen = sample(work.pairs, share, seed)
        if not as_json:
            say(f"measuring {len(chosen)} of {len(work.pairs)} measurements again ...")
        compared = list(compare_again(chosen))
    complaints += [one.complaint for one in compared if one.complaint]
    differing = sum(one.differing for one in compared)
    if as_json:
        data = {"complaints": complaints, "measured": len(chosen), "of": len(read.measurements), "differing": differing}
        results.print_json(json.dumps(data))
    else:
        _tell(compared, complaints)
    if complaints:
        raise RobenchError(f"the card {card} does not hold: {len(complaints)} complaints; see above.")
    if not as_json:
        total = sum(one.again.total for one in compared)
        results.print(
            f"holds: {len(chosen)} of {len(read.measurements)} measurements were taken again, and {differing} of "
            f"{total:,} outcomes differ, within the tolerance",
            soft_wrap=True,
        )
    if record:
        _record(record, card, read, "re-measured", len(chosen), differing)


def _tell(compared: "Iterable[Comparison]", complaints: list[str]) -> None:
    from robench.core.kinds import kind_of

    for one in compared:
        condition = one.measurement.condition
        draw = f" draw {one.measurement.draw}" if condition.draws > 1 else ""
        results.print(
            f"{kind_of(condition).label(condition)}{draw}: {one.measurement.correct} in the card, {one.again.correct} "
            f"measured, {one.differing} images differ",
            soft_wrap=True,
        )
    for complaint in complaints:
        results.print(f"complaint: {complaint}", soft_wrap=True)


def _confirmation(one: "Confirmation") -> str:
    from robench.core.kinds import kind_of

    condition = one.measurement.condition
    label = kind_of(condition).label(condition)
    if one.problem:
        return f"{label}: not confirmed, for {one.problem}"
    if one.standing:
        some = ", ".join(map(str, one.standing[:10])) + (", ..." if len(one.standing) > 10 else "")
        return f"{label}: {len(one.standing)} of {one.fallen} fallen images are not seen to fall: {some}"
    return f"{label}: {one.fallen} of {one.fallen} fallen images confirmed"


def _as_data(one: "Confirmation") -> dict[str, Any]:
    return {
        "condition": one.measurement.condition.key,
        "draw": one.measurement.draw,
        "fallen": one.fallen,
        "standing": list(one.standing),
        "problem": one.problem,
    }


def _record(board: Path, path: Path, card: "ResultCard", state: str, measurements: int, differing: int) -> None:
    from importlib.metadata import version

    import torch

    from robench.results import standing

    check = standing.Check(
        card=path.name,
        digest=standing.digest(path),
        state=state,
        measurements=measurements,
        of=len(card.measurements),
        differing=differing,
        date=datetime.now(UTC).date().isoformat(),
        robench=version("robench"),
        torch=torch.__version__,
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    )
    say(f"wrote {standing.record(board, check)}")
