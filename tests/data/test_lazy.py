import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from robench.core.errors import RobenchError
from robench.data.lazy import LISTED, LazyImages, Pictures
from robench.data.resizing import Resizing

X = np.random.default_rng(0).integers(0, 256, (150, 8, 8, 3), np.uint8)
EXPECTED = X.transpose(0, 3, 1, 2)


def lazy(opened: list[int] | None = None) -> LazyImages:
    def open_(number: int) -> Image.Image:
        if opened is not None:
            opened.append(number)
        return Image.fromarray(X[number])

    return LazyImages(Pictures(open_, str), np.arange(len(X)))


@given(st.slices(150))
@settings(deadline=None, max_examples=60)
def test_slices_are_those_of_an_array(chosen: slice) -> None:
    assert np.array_equal(lazy()[chosen], EXPECTED[chosen])


@given(st.lists(st.integers(-150, 149), min_size=1, max_size=20))
@settings(deadline=None, max_examples=30)
def test_indices_are_those_of_an_array(chosen: list[int]) -> None:
    numbers = np.array(chosen, np.int64)
    assert np.array_equal(lazy()[numbers], EXPECTED[numbers])
    assert np.array_equal(lazy().select(numbers)[:], EXPECTED[numbers])


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 150)), max_size=8))
@settings(deadline=None, max_examples=30)
def test_blocks_that_were_decoded_ahead_are_the_right_ones(parts: list[tuple[int, int]]) -> None:
    images = lazy()
    for start, stop in parts:
        assert np.array_equal(images[start:stop], EXPECTED[start:stop])


def test_only_what_is_asked_for_and_the_block_behind_it_is_decoded() -> None:
    opened: list[int] = []
    images = lazy(opened)
    assert images.shape == (150, 3, 8, 8)
    del opened[:]  # the headers
    assert np.array_equal(images[10:20], EXPECTED[10:20])
    assert np.array_equal(images[20:30], EXPECTED[20:30])
    assert set(range(10, 30)) <= set(opened) <= set(range(10, 40))
    assert len(opened) == len(set(opened))


def test_images_are_decoded_by_other_threads() -> None:
    names = set()

    def open_(number: int) -> Image.Image:
        names.add(threading.current_thread().name)
        return Image.fromarray(X[number])

    list(LazyImages(Pictures(open_, str), np.arange(150)).blocks())
    assert all(name.startswith("robench-decode") for name in names)


def test_a_message_lists_no_more_broken_images_than_can_be_read() -> None:
    def open_(number: int) -> Image.Image:
        raise OSError(f"no {number}")

    broken = LazyImages(Pictures(open_, str), np.arange(150))
    with pytest.raises(
        RobenchError, match=rf"150 images cannot be used: 0 \(no 0\).*, and {150 - LISTED} more; remove"
    ):
        broken[:3]


def test_one_that_breaks_later_is_named() -> None:
    def open_(number: int) -> Image.Image:
        return Image.fromarray(X[number] if number != 7 else X[number, :5])

    more = LazyImages(Pictures(open_, str), np.arange(9), rule=Resizing((8, 8)))
    with pytest.raises(RobenchError, match=r"one image cannot be used: 7 \(has 8x5 pixels, and the others 8x8\)"):
        more[:]
