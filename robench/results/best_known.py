"""How robust, as far as all attacks of a suite together can tell; and which of them found that out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robench.core.kinds import kind_of
from robench.core.types import Bits, Condition, ResultCard, Suite
from robench.results import stats
from robench.results.sheets import Sheet
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


def best_known(card: ResultCard, levels: Sequence[Sequence[Condition]]) -> list[Best | str]:
    """For each of the epsilons of one norm what stands, or a sign where an attack was not measured.

    An attack that does not apply to a model (no twin, no step to be smoothed) takes nothing from what the others find.
    """
    fallen: dict[str, Bits] = {}
    found: list[Best | str] = []
    for conditions in levels:
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


def sheets(suite: Suite, cards: Sequence[ResultCard]) -> Iterator[Sheet]:
    """What stands within each budget, and who found it, for each norm of a suite."""
    for norm, levels in budgets(suite).items():
        names = [kind_of(level[0]).level(level[0]) for level in levels]
        known = [(card.model.name, best_known(card, levels)) for card in cards]
        yield Sheet(
            f"Best known: all attacks together, in {_spelled(norm)}",
            "Images that stand against every attack of the suite within an epsilon, also at smaller ones: no attack is "
            "known that leaves fewer, and a stronger one may.",
            ["model", *names],
            [[name, *map(_cell, found)] for name, found in known],
        )
        attacks = list(dict.fromkeys(label(replace(c, level=None)) for level in levels for c in level))
        yield Sheet(
            f"Who found it, in {_spelled(norm)}",
            f"Of the images that are right without an attack: how many fell to each attack at {names[-1]} or below, "
            "and in brackets how many to it alone.",
            ["model", *attacks],
            [[name, *_finders(found[-1], attacks)] for name, found in known],
        )


def _spelled(norm: str) -> str:
    return {"linf": "Linf", "l2": "L2"}.get(norm, norm)


def _cell(best: Best | str) -> str:
    return best if isinstance(best, str) else percent(best.accuracy)


def _finders(best: Best | str, attacks: Sequence[str]) -> list[str]:
    if isinstance(best, str):
        return [best] * len(attacks)
    return [f"{best.found[name][0]} ({best.found[name][1]})" if name in best.found else "n/a" for name in attacks]
