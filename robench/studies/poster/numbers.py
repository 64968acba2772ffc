"""What the poster gives, and the rows of its table."""

from collections.abc import Iterator

from robench.core.types import ResultCard
from robench.results.summary import Group, groups

COMMAND = "robench reproduce poster"
MODELS = ("fp_resnet20", "twn_per_layer_resnet20", "twn_resnet20", "ttq_resnet20", "bwn_resnet20")
PUBLISHED = {
    "clean": ("91.75", "99.76", "91.71", "99.75"),
    "gaussian": ("19.09", "72.54", "19.93", "72.52"),
    "poisson": ("18.76", "72.48", "19.58", "72.40"),
    "speckle": ("10.34", "52.38", "10.43", "52.59"),
}
"""Row -> FP top-1, FP top-5, TWN top-1, TWN top-5, in percent."""
SECTION = "Clean and input noise"
DISTANCES = ("73.819317", "73.819370")


def rows(card: ResultCard) -> Iterator[Group]:
    """The rows of its table: clean, and each noise."""
    return (group for group in groups(card.suite) if group.section == SECTION)
