"""What a search has seen besides its outcomes, and the reasons to doubt these that it gives."""

from dataclasses import dataclass, fields

TOLERATED = 0.03
"""Share of the audited images that may be fooled: 1 of 64, as another random start makes it."""


@dataclass(frozen=True)
class Notes:
    """Numbers of images; those of two parts of a data set add up.

    Attributes:
        images: that were searched.
        audited, missed: that were attacked again with all steps, and that fell only then.
        attacked: at an epsilon above 0.
        changed: that came back other than they were.
        by_second: that fell to the second gradients alone.
        broken: whose results were not finite, and thrown out.
        beyond: whose results were larger than epsilon.
        unfinished: that were not attacked to the end of the time.
    """

    images: int
    audited: int = 0
    missed: int = 0
    attacked: int = 0
    changed: int = 0
    by_second: int = 0
    broken: int = 0
    beyond: int = 0
    unfinished: int = 0

    def __add__(self, other: "Notes") -> "Notes":
        return Notes(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def flags(self, seconds: float, gradients: tuple[str, str] | None, *, minimal: bool) -> tuple[str, ...]:
        """Reasons to doubt what the search found, in words.

        Args:
            seconds: the time that the attack had.
            gradients: what its first and second gradients are called; None where there is one.
            minimal: whether it looks for the smallest perturbation.
        """
        found = list[str]()
        if self.missed > TOLERATED * self.audited:
            share = self.missed / self.audited
            found.append(
                f"search missed {share:.0%} of {self.audited} audited images: all steps fool the model there or below"
            )
        if self.attacked and not self.changed:
            found.append("the attack changed no image")
        if gradients is not None:
            first, second = gradients
            found.append(
                f"two gradients: {first} and {second} were tried, and the stronger counts; "
                f"{self.by_second} of {self.images} images fell to {second} alone"
            )
        if self.broken:
            found.append(
                f"results thrown out on {self.broken} of {self.images} images: not finite, judged without an attack"
            )
        if self.beyond:
            what = "the smallest perturbation found is larger than epsilon" if minimal else "the attack left its budget"
            found.append(
                f"beyond the budget: on {self.beyond} of {self.images} images {what}; judged projected into it"
            )
        if self.unfinished:
            found.append(
                f"time limit: after {seconds:g} s {self.unfinished} of {self.images} images were not attacked to the "
                "end; they count as robust, so that the accuracy is an upper bound (raise time_limit_s)"
            )
        return tuple(found)
