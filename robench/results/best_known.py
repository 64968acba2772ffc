"""How robust, as far as all attacks of a suite together can tell; and which of them found that out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robench.core.kinds import kind_of
from robench.core.types import Bits, Condition, ResultCard, Suite
from robench.results import stats
from robench.results.sheets import Sheet
from robench.results.standing import REPORTED, WITNESSED
from robench.results.stats import Estimate
from robench.results.summary import MISSING, label, outcomes_of, percent, together


@dataclass(frozen=True)
class Best:
    """All attacks within one budget.

    Attributes:
        accuracy: images that stand against all of them, also within smaller budgets; an upper bound of the truth.
        found: attack -> (images that fell to it, images that fell to it alone), of those that are right without one.
    """

    accuracy: Estimate
    found: dict[str, tuple[int, int]]


def budgets(suite: Suite) -> dict[str, list[list[Condition]]]:
    """Norm -> for each epsilon, ascending, the attacks within it, of norms with two attacks or more."""
    by_norm: dict[str, dict[float, list[Condition]]] = {}
    for condition in suite.conditions:
        kind = kind_of(condition)
        if kind.worst_case and kind.counts(condition):
            by_norm.setdefault(kind.family(condition), {}).setdefault(condition.level or 0.0, []).append(condition)
    found = {norm: [levels[level] for level in sorted(levels)] for norm, levels in by_norm.items()}
    return {norm: levels for norm, levels in found.items() if max(map(len, levels)) > 1}


def best_known(
    card: ResultCard, levels: Sequence[Sequence[Condition]], others: Sequence[ResultCard] = ()
) -> list[Best | str]:
    """For each of the epsilons of one norm what stands, or a sign where an attack was not measured.

    An attack that does not apply to a model (no twin, no step to be smoothed) takes nothing from what the others find.

    Args:
        card: of a model.
        levels: the attacks within each epsilon, ascending.
        others: cards that may hold what someone found later (see ``findings``).
    """
    fallen: dict[str, Bits] = {}
    found: list[Best | str] = []
    later = findings(card, levels[0][0], others)
    for conditions in levels:
        for finding in later:
            if finding.epsilon <= (conditions[0].level or 0.0):
                fallen[finding.name] = fallen.get(finding.name, np.zeros_like(finding.fell)) | finding.fell
        for condition in conditions:
            outcomes = outcomes_of(card, together(condition))
            if isinstance(outcomes, str):
                if outcomes == MISSING:
                    return [*found, *[MISSING] * (len(levels) - len(found))]
            else:
                name = label(replace(condition, level=None))
                fell = ~np.logical_and.reduce(outcomes)
                fallen[name] = fallen.get(name, np.zeros_like(fell)) | fell
        found.append(_best(fallen, _wrong(card)) if fallen else MISSING)
    return found


@dataclass(frozen=True)
class Finding:
    """What an attack of another card found about a model.

    Attributes:
        name: of the attack, and its finder's.
        epsilon: its budget.
        fell: bool [N], which images are wrong under it.
    """

    name: str
    epsilon: float
    fell: Bits


def findings(card: ResultCard, like: Condition, others: Iterable[ResultCard]) -> list[Finding]:
    """What others found about the same weights on the same images, by attacks of the norm of ``like``.

    Only what was measured again or confirmed by its witness counts: a claim alone lowers nobody's value.
    """
    found = []
    for other in others:
        same = other.model.sha256 and (other.model.sha256, other.data) == (card.model.sha256, card.data)
        if not same or other.standing == REPORTED or other.suite == card.suite:
            continue
        finder = other.provenance.get("finder")
        for condition in other.suite.conditions:
            kind = kind_of(condition)
            if not kind.worst_case or kind.family(condition) != kind_of(like).family(like):
                continue
            fell = _proved(other, condition)
            if fell is not None:
                name = label(replace(condition, level=None)) + (f" by {finder}" if finder else "")
                found.append(Finding(name, condition.level or 0.0, fell))
    return found


def _proved(card: ResultCard, condition: Condition) -> Bits | None:
    """Which images fell under an attack, as far as it was checked; None where nothing was measured.

    A witness holds images of 8 bits: of what it confirmed only that is proved which falls when it is rounded, too.
    """
    group = together(condition)
    seen = [group, replace(group, outcome="rounded")] if card.standing == WITNESSED else [group]
    outcomes = [outcomes_of(card, one) for one in seen]
    if any(isinstance(rows, str) for rows in outcomes):
        return None
    return np.logical_and.reduce([~np.logical_and.reduce(rows) for rows in outcomes])


def _wrong(card: ResultCard) -> Bits | None:
    """Images that are wrong without an attack; None where that was not measured."""
    clean = next((c for c in card.suite.conditions if c.kind == "clean"), None)
    outcomes = outcomes_of(card, together(clean)) if clean else MISSING
    return None if isinstance(outcomes, str) else ~outcomes[0]


def _best(fallen: dict[str, Bits], wrong: Bits | None) -> Best:
    rows = np.stack(list(fallen.values()))
    standing: Bits = ~np.logical_or.reduce(rows)
    attacked = rows if wrong is None else rows & ~wrong
    alone = attacked & (attacked.sum(0) == 1)
    counts = zip(fallen, attacked.sum(1).tolist(), alone.sum(1).tolist(), strict=True)
    return Best(stats.wilson(int(standing.sum()), len(standing)), {name: (all_, one) for name, all_, one in counts})


def sheets(suite: Suite, cards: Sequence[ResultCard], others: Sequence[ResultCard] = ()) -> Iterator[Sheet]:
    """What stands within each budget, and who found it, for each norm of a suite; ``others`` as for ``best_known``."""
    for norm, levels in budgets(suite).items():
        names = [kind_of(level[0]).level(level[0]) for level in levels]
        known = [(card.model.name, best_known(card, levels, others)) for card in cards]
        yield Sheet(
            f"Best known: all attacks together, in {_spelled(norm)}",
            "Images that stand against every attack of the suite within an epsilon, also at smaller ones, and against "
            "what others have found and proved: no attack is known that leaves fewer, and a stronger one may.",
            ["model", *names],
            [[name, *map(_cell, found)] for name, found in known],
        )
        attacks = list(dict.fromkeys(label(replace(c, level=None)) for level in levels for c in level))
        later = [name for _, found in known for name in _names(found[-1]) if name not in attacks]
        columns = [*attacks, *dict.fromkeys(later)]
        yield Sheet(
            f"Who found it, in {_spelled(norm)}",
            f"Of the images that are right without an attack: how many fell to each attack at {names[-1]} or below, "
            "and in brackets how many to it alone.",
            ["model", *columns],
            [[name, *_finders(found[-1], columns)] for name, found in known],
        )


def _names(best: Best | str) -> list[str]:
    return [] if isinstance(best, str) else list(best.found)


def _spelled(norm: str) -> str:
    return {"linf": "Linf", "l2": "L2"}.get(norm, norm)


def _cell(best: Best | str) -> str:
    return best if isinstance(best, str) else percent(best.accuracy)


def _finders(best: Best | str, attacks: Sequence[str]) -> list[str]:
    if isinstance(best, str):
        return [best] * len(attacks)
    return [f"{best.found[name][0]} ({best.found[name][1]})" if name in best.found else "n/a" for name in attacks]
