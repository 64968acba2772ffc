"""What is said of fewer bits, and whether it holds by each measure."""

from collections.abc import Iterator, Mapping

from robench.core.types import ResultCard
from robench.results.summary import percent
from robench.studies.claims import OPEN, Claim, better
from robench.studies.robustmq.numbers import (
    ATTACKS,
    MEASURES,
    Gap,
    beyond,
    corrected,
    flattered,
    noise,
    per_halving,
    protocol,
)

ALPHA = 0.05


def claims(known: Mapping[str, ResultCard]) -> Iterator[Claim]:
    """Every claim with its verdict, from the cards by name."""
    yield from _trend(known)
    yield from _each(known)
    yield from _flattered(known)


def _verdict(gap: Gap) -> str:
    return better(gap.value) if gap.p < ALPHA else OPEN


def _turned(gap: Gap) -> Gap:
    """The same of "less" in place of "more"."""
    return Gap(-gap.value, gap.p)


def _in_words(gap: Gap, unit: str = "points") -> str:
    return f"{percent(gap.value, signed=True)} {unit}, p {gap.p:.2g}"


def _trend(known: Mapping[str, ResultCard]) -> Iterator[Claim]:
    """Whether accuracy rises under attack, and falls under noise, as bits are halved."""
    for name, measure in MEASURES.items():
        gap = per_halving(known, measure)
        if gap is None:
            continue
        ours = _in_words(gap, "points a halving")
        if measure is noise:
            yield Claim("The fewer bits, the less accurate under noise.", "holds", ours, _verdict(_turned(gap)))
        else:
            yield Claim(f"The fewer bits, the more accurate under attack, by {name}.", "holds", ours, _verdict(gap))


def _each(known: Mapping[str, ResultCard]) -> Iterator[Claim]:
    """Whether each low-bit network is more robust to attacks and less to noise than its twin, by each measure."""
    for name, measure in MEASURES.items():
        for (network, against), gap in corrected(known, beyond, measure).items():
            if measure is noise:
                text = f"{network} is less accurate under noise than {against}."
                yield Claim(text, "holds", _in_words(gap), _verdict(_turned(gap)))
            else:
                text = f"{network} is more accurate under attack than {against}, by {name}."
                yield Claim(text, "holds", _in_words(gap), _verdict(gap))


def _flattered(known: Mapping[str, ResultCard]) -> Iterator[Claim]:
    """Whether FGSM and PGD leave more standing of low-bit networks, that falls by the protocol, than of their twins."""
    for name, measure in ATTACKS.items():
        if measure is protocol:
            continue
        for (network, against), gap in corrected(known, flattered, measure).items():
            yield Claim(f"{name} flatters {network} more than {against}.", "not given", _in_words(gap), _verdict(gap))
