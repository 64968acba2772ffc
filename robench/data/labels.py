"""Labels in the forms that people keep them in: one class an image, counted from 0, comes out, or one sentence."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robench.core.errors import RobenchError
from robench.core.files import short
from robench.core.types import MOST_CLASSES, Labels

SHIFTED = "shifted to start at 0"
"""What a note says of labels that counted from 1."""
NAMED = 20
"""Classes that are named in a note; of more, the first and the last."""


class Classes(NamedTuple):
    """Labels int64 [N], the names of the classes in their order, and what was done to them."""

    labels: Labels
    names: tuple[str, ...]
    notes: tuple[str, ...]


def read_labels(given: npt.NDArray, where: str, names: tuple[str, ...] = ()) -> Classes:
    """Labels as one class an image, counted from 0.

    Whole numbers [N] (also as floats or booleans), [N, 1], one-hot [N, K], and strings [N], whose classes are in
    sorted order. Whole numbers that use every class from 1 to the largest, and no other, count from 1, unless the
    classes have names.

    Args:
        given: the labels.
        where: what messages call them, such as ``"the labels y in mine.npz"``.
        names: of the classes, in order, where they are known.

    Raises:
        RobenchError: they are none of this; the sentence says what would be.
    """
    values, counted, notes = _one_each(given, where)
    names = names or counted
    if values.dtype.kind in "SU":
        values, found, note = _of_strings(values, where)
        if found:
            return Classes(values, found, (*notes, note))
        notes.append(note)
    labels, note = _whole(values, where)
    notes += [note] if note else []
    if labels.min() == 1 and not names and len(np.unique(labels)) == labels.max() > 1:
        labels = labels - 1
        notes.append(f"labels start at 1: {SHIFTED} ({labels.max() + 1} classes)")
    elif labels.min() > 0 and not names:
        notes.append(f"no image has label 0: labels from {labels.min()} to {labels.max()} are taken as they are")
    if labels.min() < 0 or labels.max() >= (len(names) or MOST_CLASSES):
        known = f"there are {len(names)} classes, counted from 0" if names else "they count from 0"
        raise RobenchError(f"{where} run from {labels.min()} to {labels.max()}; {known}.")
    return Classes(labels, names or tuple(str(i) for i in range(max(int(labels.max()) + 1, 2))), tuple(notes))


def order(names: tuple[str, ...]) -> str:
    """The order of classes in words: ``0 = cat, 1 = dog``."""
    entries = [f"{number} = {short(name, 40)}" for number, name in enumerate(names)]
    if len(entries) > NAMED:
        entries = [*entries[:3], "…", entries[-1]]
    return ", ".join(entries)


def _one_each(given: npt.NDArray, where: str) -> tuple[npt.NDArray, tuple[str, ...], list[str]]:
    """Labels [N], the names of one-hot classes, and a note where they were of another shape."""
    if not given.size:
        raise RobenchError(f"{where} are empty; there must be one for each image.")
    if given.ndim == 1:
        return given, (), []
    if given.ndim == 2 and given.shape[1] == 1:
        return given[:, 0], (), [f"labels {list(given.shape)} taken as [{len(given)}]"]
    if given.ndim == 2 and given.dtype.kind in "biuf":
        hot = ((given == 1).sum(1) == 1) & ((given != 0).sum(1) == 1)
        if hot.all() and given.shape[1] <= MOST_CLASSES:
            note = f"one-hot labels of {given.shape[1]} classes taken as the place of each 1"
            return given.argmax(1), tuple(str(number) for number in range(given.shape[1])), [note]
        raise RobenchError(
            f"{where} are {list(given.shape)} and not one-hot (label {int(np.argmin(hot))} is not); give one class an "
            "image."
        )
    raise RobenchError(f"{where} must be whole numbers [N], not {given.dtype} {list(given.shape)}.")


def _of_strings(values: npt.NDArray, where: str) -> tuple[npt.NDArray, tuple[str, ...], str]:
    """Numbers, the names of their classes (none where the strings are numbers themselves), and a note."""
    try:
        texts = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except UnicodeDecodeError as error:
        raise RobenchError(f"{where} are bytes that are no text in UTF-8; give strings, or whole numbers.") from error
    if all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts.tolist()):
        return texts.astype(np.int64), (), "labels are numbers written as strings: taken as numbers"
    names, labels = np.unique(texts, return_inverse=True)
    if len(names) > MOST_CLASSES:
        raise RobenchError(f"{where} are {len(names):,} different strings; at most {MOST_CLASSES:,} classes are taken.")
    classes = tuple(str(name) for name in names)
    return labels.astype(np.int64), classes, f"classes are the strings in sorted order: {order(classes)}"


def _whole(values: npt.NDArray, where: str) -> tuple[Labels, str]:
    """int64 [N], and a note where they were of another type."""
    if values.dtype.kind == "b":
        return values.astype(np.int64), "labels are booleans: False is class 0, True is class 1"
    if values.dtype.kind == "f":
        wrong = values[~np.isfinite(values) | (values != np.rint(values))]
        if len(wrong):
            raise RobenchError(
                f"{where} must be whole numbers, and one of them is {wrong[0]:g}; give one class an image."
            )
        if np.abs(values).max() >= 2**31:
            raise RobenchError(f"{where} run from {values.min():g} to {values.max():g}; they count from 0.")
        return values.astype(np.int64), f"labels of type {values.dtype} taken as whole numbers"
    if values.dtype.kind not in "iu":
        raise RobenchError(f"{where} must be whole numbers [N], one-hot, or strings; not {values.dtype}.")
    if values.max() >= 2**31:
        raise RobenchError(f"{where} run from {values.min()} to {values.max()}; they count from 0.")
    return values.astype(np.int64), ""
