"""Which data set an evaluation uses."""

from collections.abc import Collection
from pathlib import Path

from robench.core.errors import NotHereError
from robench.data.base import Dataset
from robench.data.load import load

DEFAULT, FALLBACK = "cifar10", "digits"


def choose(spec: object, own: Collection[str], data_dir: Path | None) -> tuple[Dataset, str]:
    """The test set that was asked for; for ``auto`` the models' own, or digits where that is not to be had.

    Args:
        spec: a data set as for ``load``, or ``auto``.
        own: the data sets that all of the models were made for; empty where none is known.
        data_dir: where the user keeps data, if they said so.

    Returns:
        The data, and a notice for the user ("" if there is none).

    Raises:
        RobenchError: there is no such data set, it is damaged, or it is not here and nothing stands in for it.
    """
    if not (isinstance(spec, str) and spec == "auto"):
        return load(spec, "test", data_dir), ""
    preferred = DEFAULT if DEFAULT in own or not own else sorted(own)[0]
    try:
        return load(preferred, "test", data_dir), ""
    except NotHereError as error:
        if data_dir is not None or FALLBACK not in own or preferred == FALLBACK:
            raise
        return load(FALLBACK), f"{error} Going on with {FALLBACK} and its models of the same names."
