"""What every table shows: conditions in groups, each group's accuracy, and its difference to the twin."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from robench.core.kinds import kind_of
from robench.core.types import CLEAN, Bits, Condition, Floats, Measurement, ResultCard, Suite
from robench.results import stats
from robench.results.stats import Estimate

MISSING = "—"
NOT_APPLICABLE = "n/a"


VARIANTS = {
    "twn_per_filter": "TWN with a threshold and a scale for each filter; the paper's rule has one of each for a layer"
}
"""Quantizers that are variants of a published rule, and what they change."""


@dataclass(frozen=True)
class Group:
    """Conditions that are one row of a table: one condition with its draws, or the severities of one corruption.

    Attributes:
        section, label: its table and its name there.
        conditions: what is averaged.
        outcome: which outcome of an image counts, "top1" or "rounded".
    """

    section: str
    label: str
    conditions: tuple[Condition, ...]
    outcome: str = "top1"

    @property
    def family(self) -> str:
        """What it shares with the groups that differ in nothing but the level."""
        return label(replace(self.conditions[0], level=None))

    @property
    def level(self) -> str:
        """Its level in words; its label where it has none."""
        (first, *others) = self.conditions
        return kind_of(first).level(first) if first.level is not None and not others else self.label


def together(*conditions: Condition) -> Group:
    """Conditions to be averaged, outside a table."""
    return Group("", "", conditions)


def groups(suite: Suite) -> list[Group]:
    """The rows of a suite's tables, in its order; further tables of a section follow it."""
    found: dict[tuple[str, str], list[Condition]] = {}
    for condition in suite.conditions:
        found.setdefault((kind_of(condition).section, label(condition)), []).append(condition)
    rows = [Group(section, name, tuple(conditions)) for (section, name), conditions in found.items()]
    ordered: list[Group] = []
    for section in dict.fromkeys(row.section for row in rows):
        own = [row for row in rows if row.section == section]
        ordered += own
        further = {
            o: heading for row in own for c in row.conditions for o, heading in kind_of(c).further_sections.items()
        }
        for outcome, heading in further.items():
            ordered += [replace(row, section=heading, outcome=outcome) for row in own if _has(row, outcome)]
    return ordered


def _has(group: Group, outcome: str) -> bool:
    return all(outcome in kind_of(condition).further_sections for condition in group.conditions)


def label(condition: Condition) -> str:
    """What a table calls a condition; conditions that share a label share a row."""
    return kind_of(condition).label(condition)


def _rows(card: ResultCard, group: Group) -> list[Measurement] | None:
    """All measurements of a group, or None if one is missing."""
    rows = [row for condition in group.conditions for row in card.of(condition)]
    return rows if len(rows) == sum(condition.draws for condition in group.conditions) else None


def outcomes_of(card: ResultCard, group: Group) -> np.ndarray | str:
    """Outcomes of a group [rows, images], or the sign that stands for them in a table."""
    rows = _rows(card, group)
    if rows is None:
        return MISSING
    if any(row.total == 0 for row in rows):
        return NOT_APPLICABLE
    return np.stack([getattr(row, group.outcome) for row in rows])


def by_level(outcomes: Iterable[tuple[Condition, np.ndarray]]) -> Bits:
    """Which images are right under all conditions and draws of each level, [levels, images], from the smallest level.

    Args:
        outcomes: those of each condition, bool [draws, images].
    """
    found: dict[float, list[Bits]] = {}
    for condition, rows in outcomes:
        found.setdefault(condition.level or 0.0, []).append(np.logical_and.reduce(rows))
    return np.stack([np.logical_and.reduce(found[level]) for level in sorted(found)])


def _is_random(group: Group) -> bool:
    return len(group.conditions) == 1 and group.conditions[0].draws > 1


def accuracy(card: ResultCard, group: Group) -> Estimate | str:
    """Top-1 accuracy of a group with its 95% interval, or MISSING or NOT_APPLICABLE."""
    outcomes = outcomes_of(card, group)
    if isinstance(outcomes, str):
        return outcomes
    if (outcomes == outcomes[0]).all():
        return stats.wilson(int(outcomes[0].sum()), outcomes.shape[1])
    if _is_random(group):
        return stats.crossed_mean(outcomes.astype(float)).as_share()
    return stats.bootstrap_mean(outcomes.astype(float))


def _pair(card: ResultCard, other: ResultCard, group: Group) -> tuple[np.ndarray, np.ndarray] | None:
    """Outcomes of two models on the same images; None where one has none, or the images differ."""
    ours, theirs = outcomes_of(card, group), outcomes_of(other, group)
    if isinstance(ours, str) or isinstance(theirs, str) or card.data != other.data:
        return None
    return ours, theirs


def difference(card: ResultCard, twin: ResultCard, group: Group) -> Estimate | str:
    """Accuracy minus the twin's, paired by image and draw, with its 95% interval."""
    pair = _pair(card, twin, group)
    if pair is None:
        return MISSING
    ours, theirs = pair
    if (ours == ours[0]).all() and (theirs == theirs[0]).all():
        return stats.paired_difference(ours[0], theirs[0])
    differences = ours.astype(float) - theirs
    return stats.crossed_mean(differences) if _is_random(group) else stats.bootstrap_mean(differences)


def p_value(card: ResultCard, other: ResultCard, group: Group) -> float | None:
    """Of no difference between two models: McNemar's for one condition, that of the interval for several."""
    pair = _pair(card, other, group)
    if pair is None:
        return None
    ours, theirs = pair
    if len(ours) == 1:
        return stats.mcnemar(ours[0], theirs[0])
    differences = ours.astype(float) - theirs
    return stats.crossed_p(differences) if _is_random(group) else stats.bootstrap_p(differences)


def flags(card: ResultCard, group: Group) -> list[str]:
    """The flags of a group's measurements, each once, without those that say n/a."""
    if group.outcome != "top1":
        return []
    rows = _rows(card, group) or []
    measured = {flag for row in rows for flag in row.flags if not flag.startswith(NOT_APPLICABLE)}
    return sorted(
        measured | {doubt for condition in group.conditions for doubt in kind_of(condition).doubts(card, condition)}
    )


def _clean(card: ResultCard) -> Bits | None:
    """Which images are right without noise, attack or distortion; None where that was not measured."""
    return next((row.top1 for row in card.of(CLEAN)), None)


def smallest_epsilons(card: ResultCard) -> list[tuple[str, Estimate]]:
    """For each attack that searched a grid: the median over images of the smallest epsilon that fools the model.

    Only images that are right without an attack count; where no epsilon fools the model, it is infinite. The epsilon is
    known to a step of the grid, of which the upper end is taken.
    """
    clean = _clean(card)
    found = []
    for search in dict.fromkeys(replace(c, level=None) for c in card.suite.conditions if len(c.grid) > 1):
        rows = [card.of(replace(search, level=level)) for level in search.grid]
        if clean is None or not clean.any() or not all(rows):
            continue
        fooled = ~np.stack([row[0].top1 for row in rows])[:, clean]
        smallest = np.where(fooled.any(0), np.array(search.grid)[fooled.argmax(0)], np.inf)
        found.append((label(search), stats.median(smallest)))
    return found


def fooling(card: ResultCard, twin: ResultCard | None = None) -> list[str]:
    """Sentences about the smallest epsilons and perturbations that fool, of one model and against its twin."""
    found = [f"{card.model.name}, {name}: the median image {_fooled_at(e)}" for name, e in smallest_epsilons(card)]
    for condition in measures_to_fool(card.suite):
        ours = perturbations(card, condition)
        theirs = perturbations(twin, condition) if twin and twin.data == card.data else None
        if ours is not None:
            found.append(f"{card.model.name}, {label(condition)}: {_perturbation(ours, theirs)}")
    return found


def measures_to_fool(suite: Suite) -> list[Condition]:
    """The attacks of a suite that measure the mean perturbation to fool."""
    return [condition for condition in suite.conditions if condition.fact("distance")]


def perturbations(card: ResultCard, condition: Condition) -> Floats | None:
    """How far each image [N] is moved when it first fools the model, in pixel levels; None where nothing was measured.

    NaN for an image that is wrong without an attack; infinite (censored) for one that never fools it.
    """
    clean, rows = _clean(card), card.of(condition)
    if clean is None or not rows or len(rows[0].distance) != len(clean):
        return None
    return np.where(clean, np.where(rows[0].top1, np.inf, rows[0].distance), np.nan).astype(np.float32)


def _perturbation(ours: Floats, theirs: Floats | None) -> str:
    fooled, censored = np.isfinite(ours), int(np.isinf(ours).sum())
    sentence = f"{fooled.sum()} of {fooled.sum() + censored} images fool it, {censored} never do"
    if not fooled.any():
        return sentence
    mean = stats.image_mean(ours[fooled])
    median = stats.median(ours[~np.isnan(ours)].astype(float))
    sentence += f"; to fool: mean {pixel_levels(mean)} pixel levels, median {pixel_levels(median)}"
    gap, both = perturbation_gap(ours, theirs)
    if gap is None:
        return sentence
    return f"{sentence}; mean minus the twin's, on the {both.sum()} images that fool both, {pixel_levels(gap, '+.3f')}"


def perturbation_gap(ours: Floats, theirs: Floats | None) -> tuple[Estimate | None, Bits]:
    """Mean perturbation minus the twin's, over the images that fool both; and which those are. None where none are."""
    both = np.isfinite(ours) & np.isfinite(theirs) if theirs is not None else np.zeros(len(ours), bool)
    return (stats.image_mean(ours[both] - theirs[both]) if theirs is not None and both.any() else None), both


def pixel_levels(estimate: Estimate, form: str = ".3f") -> str:
    """``1.368 [1.337, 1.400]``."""
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _fooled_at(epsilon: Estimate) -> str:
    if not np.isfinite(epsilon.value):
        return "is robust at every epsilon"
    return f"is fooled at {_of_255(epsilon.value)} [{_of_255(epsilon.low)}, {_of_255(epsilon.high)}]"


def _of_255(epsilon: float) -> str:
    return f"{epsilon * 255:.3g}/255" if np.isfinite(epsilon) else "beyond"


def seed_families(cards: Iterable[ResultCard]) -> dict[str, list[ResultCard]]:
    """Cards by the model's name without its training seed (``twn_resnet20_seed1`` is a ``twn_resnet20``)."""
    families: dict[str, list[ResultCard]] = {}
    for card in cards:
        seed = card.model.training.get("seed", 0)
        families.setdefault(card.model.name.removesuffix(f"_seed{seed}"), []).append(card)
    return families


def seed_spread(family: list[ResultCard], group: Group) -> tuple[float, float] | str:
    """Mean and standard deviation (n - 1) of a group's accuracy over training seeds."""
    found = [accuracy(card, group) for card in family]
    values = [estimate.value for estimate in found if isinstance(estimate, Estimate)]
    if len(values) < len(found):
        return next(sign for sign in found if isinstance(sign, str))
    return float(np.mean(values)), float(np.std(values, ddof=1))


def percent_of_seeds(spread: tuple[float, float] | str) -> str:
    """``91.2 ± 0.3``."""
    return spread if isinstance(spread, str) else f"{100 * spread[0]:.1f} ± {100 * spread[1]:.1f}"


def percent(estimate: Estimate | str, *, signed: bool = False) -> str:
    """``91.2 [89.3, 92.8]``: percent, or points with signs; a sign that stands for a value passes through."""
    if isinstance(estimate, str):
        return estimate
    form = "+.1f" if signed else ".1f"
    parts = (round(100 * part, 1) + 0.0 for part in (estimate.value, estimate.low, estimate.high))  # never -0.0
    value, low, high = (format(part, form) for part in parts)
    return f"{value} [{low}, {high}]"
