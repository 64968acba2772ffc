import numpy as np
import pytest
import torch

from robench.core.errors import RobenchError
from robench.faults.memory import Memory, written_as
from robench.quantizers.stored import StoredWeight, coded, stored_float

TERNARY = coded(torch.tensor([[-1, 0, 1], [1, 1, 0]]), torch.tensor([[0.5]]), 2)
INT8 = coded(torch.tensor([[-128, 127], [0, -1]]), torch.tensor([[1.0, 2.0]]), 8)
SIGN = coded(torch.tensor([[-1, 1]]), torch.tensor([[2.0]]), 1)
FLOAT = stored_float(torch.tensor([[1.0, -2.0]]))
EVERYTHING = {"a": TERNARY, "b": INT8, "c": SIGN, "d": FLOAT}


def test_bits_stand_one_after_the_other_the_highest_first() -> None:
    memory = Memory(EVERYTHING)
    assert memory.size == 12 + 32 + 2 + 64
    bits = "".join(str(int(bit)) for bit in memory.read(np.arange(memory.size)))
    assert bits[:12] == "000110101001"
    assert bits[12:44] == "10000000011111110000000011111111"
    assert bits[44:46] == "01"
    assert bits[46:] == f"{0x3F800000:032b}{0xC0000000:032b}"


@pytest.mark.parametrize("count", [1, 7, 60, 110])
def test_a_flip_that_is_undone_gives_the_weights_back_bit_for_bit(count: int) -> None:
    memory = Memory(EVERYTHING)
    places = np.random.default_rng(0).permutation(memory.size)[:count]
    memory.flip(places)
    assert not all(torch.equal(memory.contents()[name].weight(), w.weight()) for name, w in EVERYTHING.items())
    memory.flip(places)
    for name, stored in EVERYTHING.items():
        assert memory.contents()[name].pack().equal(stored.pack())


def test_what_the_flip_of_one_bit_makes_of_a_weight() -> None:
    memory = Memory(EVERYTHING)
    memory.flip(np.array([1, 12, 45, 46]))  # a low bit of -1, the sign of -128, the sign of +1, the sign of 1.0
    contents = memory.contents()
    assert contents["a"].values[0, 0] == 0  # 00 becomes 01
    assert contents["b"].values[0, 0] == 0
    assert contents["c"].values[0, 1] == -1
    assert contents["d"].values[0, 0] == -1.0


@pytest.mark.parametrize("unused", [-1, 0, 1])
def test_the_unused_pattern_reads_as_it_is_told(unused: int) -> None:
    memory = Memory({"a": TERNARY})
    memory.flip(np.array([2]))  # 01, which is 0, becomes 11
    assert memory.contents(unused)["a"].values.tolist() == [[-1, unused, 1], [1, 1, 0]]


def test_twos_complement_turns_plus_into_minus_by_one_flip() -> None:
    memory = Memory({"a": written_as(TERNARY, "twos_complement")})
    assert memory.contents()["a"].weight().equal(TERNARY.weight())
    memory.flip(np.array([4]))  # 01, which is +1, becomes 11
    assert memory.contents()["a"].values[0, 2] == -1


def test_weights_are_zero_where_there_is_a_code_for_it() -> None:
    memory = Memory(EVERYTHING)
    memory.zero(np.arange(memory.size))
    contents = memory.contents()
    assert not any(contents[name].weight().any() for name in "abd")
    assert contents["c"].weight().equal(SIGN.weight())


def test_zero_is_the_zero_point_of_the_filter() -> None:
    stored = StoredWeight(INT8.values, "twos_complement", 8, INT8.scale, torch.tensor([[3, -5]], dtype=torch.int16))
    memory = Memory({"a": stored})
    memory.zero(np.array([0, 31]))  # the first weight of the first filter, the last of the second
    assert memory.contents()["a"].weight().tolist() == [[0.0, 124.0], [10.0, 0.0]]


def test_encodings_that_do_not_fit_are_told() -> None:
    with pytest.raises(RobenchError, match="has 1 bits, not 2"):
        written_as(TERNARY, "sign")
    with pytest.raises(RobenchError, match="has codes from -1 to 1"):
        written_as(SIGN, "offset_binary")
    with pytest.raises(RobenchError, match="is for codes, and the weights are stored as floats"):
        written_as(FLOAT, "twos_complement")
    assert written_as(FLOAT, "bfloat16").bits == 16
