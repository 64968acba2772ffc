import numpy as np

from robench.core.seeding import stream


def test_equal_keys_give_equal_numbers() -> None:
    assert np.array_equal(stream(0, "a", 1).random(8), stream(0, "a", 1).random(8))


def test_every_part_of_the_key_matters() -> None:
    keys = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a", 1, 0), (0, "a1")]
    assert len({stream(*key).integers(2**62) for key in keys}) == len(keys)


def test_numbers_are_the_same_on_every_machine() -> None:
    assert stream(0, "corruption", "gaussian", 0, 0).integers(0, 1000, 4).tolist() == [198, 355, 184, 474]
