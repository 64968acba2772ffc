"""What the designer of a memory asks of the cards of a suite: which error rate, how many flips, how many good chips."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from robench.core.types import CLEAN, Condition, Measurement, ResultCard, Suite
from robench.results import stats
from robench.results.sheets import Sheet
from robench.results.stats import Estimate
from robench.results.summary import MISSING, NOT_APPLICABLE, label, outcomes_of, together

RATE = "bit error rate"
"""The fact of a condition whose level is one."""
LOSS = 0.02
"""Accuracy that a network may lose to an erring memory."""
STEPS = (5, 10, 20, 50, 100, 200, 500)
"""Flips after which the accuracy under an attack is told."""


def sheets(suite: Suite, cards: Sequence[ResultCard]) -> Iterator[Sheet]:
    """The sheets that cards of one suite and the same images give; none where it has no faults of bits."""
    sweeps = _sweeps(suite)
    if sweeps:
        yield _tolerated(sweeps, cards)
        yield from (_yields(name, sweep, cards) for name, sweep in sweeps.items())
        yield _expected(next(iter(sweeps.values())), cards)
    yield from (_flips(condition, cards) for condition in suite.conditions if has_path(condition, cards))


def has_curves(suite: Suite) -> bool:
    """Whether cards of a suite give curves over rates of errors, of two rates or more."""
    return any(len(sweep) > 1 for sweep in _sweeps(suite).values())


def _sweeps(suite: Suite) -> dict[str, list[Condition]]:
    """Conditions that differ in their bit error rate alone, by what they have in common."""
    found: dict[str, list[Condition]] = {}
    for condition in suite.conditions:
        if condition.fact("level") == RATE and condition.draws > 1:
            found.setdefault(label(replace(condition, level=None)), []).append(condition)
    return {name: sorted(sweep, key=_rate) for name, sweep in found.items()}


def _rate(condition: Condition) -> float:
    return condition.level or 0.0


def outcomes_with_sound(card: ResultCard, condition: Condition) -> tuple[np.ndarray, np.ndarray] | str:
    """Outcomes on a sound memory [1, images] and on chips [chips, images], or the sign that stands for them."""
    sound, chips = (outcomes_of(card, together(c)) for c in (CLEAN, condition))
    if isinstance(sound, str) or isinstance(chips, str):
        return chips if isinstance(chips, str) else MISSING
    return sound, chips


def loss(card: ResultCard, condition: Condition) -> Estimate | str:
    """Accuracy on a sound memory minus that on an erring one, over chips and images, or the sign that stands for it."""
    found = outcomes_with_sound(card, condition)
    return found if isinstance(found, str) else stats.crossed_mean(found[0].astype(float) - found[1])


def tolerated(card: ResultCard, sweep: Sequence[Condition]) -> float | str:
    """The highest measured rate up to which a network loses no more than ``LOSS``, at the upper end of the interval.

    0 where even the lowest rate costs more; a sign where the rates were not measured, or do not apply.
    """
    highest = 0.0
    for condition in sweep:
        found = loss(card, condition)
        if isinstance(found, str):
            return found
        if found.high > LOSS:
            break
        highest = _rate(condition)
    return highest


def _tolerated(sweeps: dict[str, list[Condition]], cards: Sequence[ResultCard]) -> Sheet:
    def cell(card: ResultCard, sweep: list[Condition]) -> str:
        rate = tolerated(card, sweep)
        if isinstance(rate, str):
            return rate
        return f"{rate:g}" + (" or more" if rate == _rate(sweep[-1]) else "") if rate else f"below {_rate(sweep[0]):g}"

    return Sheet(
        "The bit error rate that a memory may have",
        f"The highest measured rate up to which a network loses no more than {100 * LOSS:g} points of its own accuracy "
        "on a sound memory, at the upper end of the 95% interval over chips and images.",
        ["model", *sweeps],
        [[card.model.name, *(cell(card, sweep) for sweep in sweeps.values())] for card in cards],
    )


def good_chips(card: ResultCard, condition: Condition) -> tuple[int, int] | str:
    """(chips on which a network loses no more than ``LOSS``, chips), or the sign that stands for them."""
    found = outcomes_with_sound(card, condition)
    if isinstance(found, str):
        return found
    (sound,), chips = found
    least = sound.sum() - LOSS * len(sound)
    return int((chips.sum(1) >= least).sum()), len(chips)


def _yields(name: str, sweep: list[Condition], cards: Sequence[ResultCard]) -> Sheet:
    def cell(card: ResultCard, condition: Condition) -> str:
        found = good_chips(card, condition)
        if isinstance(found, str):
            return found
        share = stats.wilson(*found)
        return f"{100 * share.value:.0f} [{100 * share.low:.0f}, {100 * share.high:.0f}]"

    return Sheet(
        f"Yield: {name}",
        f"Percent of the chips on which a network loses no more than {100 * LOSS:g} points, with Wilson's interval "
        "over chips.",
        ["model", *(f"{_rate(condition):g}" for condition in sweep)],
        [[card.model.name, *(cell(card, condition) for condition in sweep)] for card in cards],
    )


def _expected(sweep: list[Condition], cards: Sequence[ResultCard]) -> Sheet:
    def row(card: ResultCard) -> list[str]:
        bits = next((n for c in sweep for m in card.of(c) for key, n in m.numbers if key == "bits"), None)
        if bits is None:
            return [MISSING] * (1 + len(sweep))
        expected = [bits * _rate(condition) for condition in sweep]
        return [f"{bits:,}", *(f"{flips:,.0f}" if flips >= 10 else f"{flips:.1f}" for flips in expected)]

    return Sheet(
        "Bits of a network, and how many are expected to flip",
        "The same rate for each bit is not the same number of errors: a network in eight bits has eight times as many "
        "bits as one in a single bit.",
        ["model", "bits", *(f"{_rate(condition):g}" for condition in sweep)],
        [[card.model.name, *row(card)] for card in cards],
    )


def has_path(condition: Condition, cards: Sequence[ResultCard]) -> bool:
    """Whether a condition led one of the models flip by flip to where it was measured."""
    return any(measurement.path for card in cards for measurement in card.of(condition))


def path(card: ResultCard, condition: Condition) -> list[tuple[float, Estimate]]:
    """(flips, accuracy after them with its interval over batches and images) of such a condition, to the last end."""
    rows = [row for row in card.of(condition) if row.total]
    if not rows:
        return []
    last = max(row.path[-1][0] for row in rows)
    places = [0, *(flips for flips in STEPS if flips < last), last]
    counts = {flips: [_right_after(row, flips) for row in rows] for flips in places}
    return [(float(flips), stats.counted_mean(found, rows[0].total)) for flips, found in counts.items()]


def flips_to_chance(card: ResultCard, condition: Condition) -> list[int | None]:
    """For each draw, after how many flips a network is at chance; None where it never was within the level."""
    return [dict(measurement.numbers).get("flips_to_chance") for measurement in card.of(condition) if measurement.total]


def _flips(condition: Condition, cards: Sequence[ResultCard]) -> Sheet:
    return Sheet(
        f"{label(condition)}: flips to chance",
        "Flips after which no more than 11% of the images are right (of ten classes), or no more than one guess for "
        "all would get: mean and standard deviation over the batches on which bits were looked for. Then the accuracy "
        "in percent after so many flips, mean over the batches.",
        ["model", "flips to chance", "batches", "percent of the bits", *(f"after {flips}" for flips in STEPS)],
        [[card.model.name, *_flip_cells(card, condition)] for card in cards],
    )


def _flip_cells(card: ResultCard, condition: Condition) -> list[str]:
    found, rows = flips_to_chance(card, condition), [row for row in card.of(condition) if row.total]
    if not rows:
        return [NOT_APPLICABLE if card.of(condition) else MISSING, *[""] * (2 + len(STEPS))]
    known = [flips for flips in found if flips is not None]
    bits = dict(rows[0].numbers)["bits"]
    if len(known) < len(found):
        headline = f"more than {max(dict(row.numbers)['flips'] for row in rows):,} in {len(found) - len(known)}"
        share = ""
    else:
        spread = f" ± {np.std(known, ddof=1):.1f}" if len(known) > 1 else ""
        headline, share = f"{np.mean(known):.1f}{spread}", f"{100 * np.mean(known) / bits:.4f}"
    after = [np.mean([_right_after(row, flips) / row.total for row in rows]) for flips in STEPS]
    return [headline, str(len(found)), share, *(f"{100 * value:.1f}" for value in after)]


def _right_after(measurement: Measurement, flips: int) -> int:
    """Images that are right after so many flips: those of the last judged state before, or of the end."""
    return [right for made, right in measurement.path if made <= flips][-1]
