import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robench.core.errors import RobenchError
from robench.data.labels import order, read_labels

SIX = np.array([0, 2, 1, 1, 0, 2])


@pytest.mark.parametrize(
    ("given", "note"),
    [
        (SIX, ""),
        (SIX.astype(np.uint8), ""),
        (SIX + 1, r"labels start at 1: shifted to start at 0 \(3 classes\)"),
        (SIX[:, None], r"labels \[6, 1\] taken as \[6\]"),
        (np.eye(3)[SIX], "one-hot labels of 3 classes"),
        (np.eye(3, dtype=bool)[SIX], "one-hot labels of 3 classes"),
        (SIX.astype(np.float32), "labels of type float32 taken as whole numbers"),
        (SIX.astype(str), "numbers written as strings"),
        (np.array(["ant", "bee", "cow"])[SIX], "sorted order: 0 = ant, 1 = bee, 2 = cow"),
        (np.array([b"ant", b"bee", b"cow"])[SIX], "sorted order: 0 = ant, 1 = bee, 2 = cow"),
    ],
)
def test_labels_in_any_usual_form(given: np.ndarray, note: str) -> None:
    found = read_labels(given, "the labels")
    assert found.labels.dtype == np.int64
    assert np.array_equal(found.labels, SIX)
    assert len(found.names) == 3
    assert re.search(note, "; ".join(found.notes))
    assert bool(found.notes) == bool(note)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.array([0.5, 1]), "must be whole numbers, and one of them is 0.5"),
        (np.array([np.nan, 1]), "one of them is nan"),
        (np.array([np.inf, 1]), "one of them is inf"),
        (np.array([[0.5, 0.5], [1, 0]]), r"are \[2, 2\] and not one-hot \(label 0 is not\)"),
        (np.array([[1, 0], [1, 1]]), r"not one-hot \(label 1 is not\)"),
        (np.array([-1, 0]), "run from -1 to 0"),
        (np.array([2**31, 0]), "they count from 0"),
        (np.array([1e300, 0]), "they count from 0"),
        (np.array([1j, 0]), "not complex128"),
        (np.array([]), "are empty"),
        (np.zeros((2, 2, 2), int), r"must be whole numbers \[N\]"),
        (np.array(["2020-01-01"], np.datetime64), "must be whole numbers"),
    ],
)
def test_other_labels_are_refused_in_one_sentence(given: np.ndarray, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence) as caught:
        read_labels(given, "the labels")
    assert "\n" not in str(caught.value)


def test_labels_from_1_with_gaps_stay_as_they_are_and_that_is_said() -> None:
    found = read_labels(np.array([1, 3, 1]), "the labels")
    assert found.labels.tolist() == [1, 3, 1]
    assert found.notes == ("no image has label 0: labels from 1 to 3 are taken as they are",)


def test_labels_of_named_classes_are_never_shifted() -> None:
    found = read_labels(np.array([1, 2]), "the labels", ("ant", "bee", "cow"))
    assert found.labels.tolist() == [1, 2]
    with pytest.raises(RobenchError, match="run from 1 to 3; there are 3 classes"):
        read_labels(np.array([1, 3]), "the labels", ("ant", "bee", "cow"))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_one_hot_and_numbers_agree(numbers: list[int]) -> None:
    labels = np.array(numbers)
    assert np.array_equal(read_labels(np.eye(31)[labels], "").labels, labels)


@given(st.lists(st.text(min_size=1).filter(lambda text: not text.isdigit()), min_size=1, max_size=20))
def test_strings_come_back_by_their_class(texts: list[str]) -> None:
    given = np.array(texts)
    found = read_labels(given, "")
    assert [found.names[label] for label in found.labels] == given.tolist()
    assert list(found.names) == sorted(found.names)


def test_the_order_of_many_classes_is_said_in_brief() -> None:
    assert order(tuple("abc")) == "0 = a, 1 = b, 2 = c"
    assert order(tuple(str(i) for i in range(1000))) == "0 = 0, 1 = 1, 2 = 2, …, 999 = 999"
