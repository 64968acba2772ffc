"""Codes mend every single error, and never pass a double one as mended."""

from itertools import combinations

import numpy as np
import pytest
import torch

from robench.faults import BitSettings, DoesNotApplyError
from robench.faults.memory import Memory
from robench.faults.protection import CODEWORD, WORD, Cells, ExtendedHamming, cells_of, made_small
from robench.quantizers.stored import StoredWeight, coded

RNG = np.random.default_rng(0)
CODES = torch.from_numpy(RNG.integers(-127, 128, (4, 10)))  # 320 bits: five words
INT8 = {"w": coded(CODES, torch.ones(1, 1), 8)}
SMALL = made_small(INT8)
TERNARY = {"w": coded(torch.from_numpy(RNG.integers(-1, 2, (3, 35))), torch.ones(1, 1), 2)}  # 210 bits: 3.3 words


def cells(stored: dict[str, StoredWeight], protection: str, detected: str = "keep") -> Cells:
    settings = BitSettings(protection=protection, detected=detected)  # type: ignore[arg-type]
    return cells_of(Memory(stored), settings)


def read(found: Cells) -> torch.Tensor:
    return found.memory.contents()["w"].weight()


@pytest.mark.parametrize("length", [CODEWORD, WORD])
class TestExtendedHamming:
    def test_has_the_rate_of_the_code(self, length: int) -> None:
        assert len(ExtendedHamming(length).data) == {72: 64, 64: 57}[length]

    def test_mends_every_single_error(self, length: int) -> None:
        code = ExtendedHamming(length)
        data = RNG.random((length, len(code.data))) < 0.5
        read, lost = code.decode(code.encode(data) ^ np.eye(length, dtype=bool))
        assert (read == data).all()
        assert not lost.any()

    def test_detects_every_double_error_and_leaves_it(self, length: int) -> None:
        code = ExtendedHamming(length)
        pairs = np.array(list(combinations(range(length), 2)))
        errors = np.zeros((len(pairs), length), bool)
        errors[np.arange(len(pairs))[:, None], pairs] = True
        data = RNG.random((len(pairs), len(code.data))) < 0.5
        received = code.encode(data) ^ errors
        read, lost = code.decode(received)
        assert lost.all()
        assert (read == received[:, code.data]).all()


@pytest.mark.parametrize(("stored", "protection"), [(INT8, "secded"), (TERNARY, "secded"), (SMALL, "in_place")])
def test_one_error_in_each_word_is_mended_wherever_it_is(stored: dict[str, StoredWeight], protection: str) -> None:
    for place in range(CODEWORD if protection == "secded" else WORD):
        found = cells(stored, protection)
        length = CODEWORD if protection == "secded" else WORD
        found.strike(np.arange(place, found.size // length * length, length))
        assert read(found).equal(stored["w"].weight())


def test_two_errors_in_a_word_are_read_as_they_are_or_as_zeros() -> None:
    kept, zeroed = cells(INT8, "secded"), cells(INT8, "secded", "zero")
    for found in (kept, zeroed):
        found.strike(np.array([CODEWORD + 3, CODEWORD + 5]))  # data bits 0 and 1 of the second word
    expected = CODES.flatten().clone()
    expected[8] ^= 0b11000000 - 256
    assert read(kept).flatten().equal(expected.float())
    expected[8:16] = 0
    assert read(zeroed).flatten().equal(expected.float())


def test_three_copies_outvote_one() -> None:
    found = cells(TERNARY, "triple")
    assert found.size == 630
    found.strike(np.arange(0, 210))
    assert read(found).equal(TERNARY["w"].weight())
    found.strike(np.array([1, 421]))
    plain = cells(TERNARY, "none")
    plain.strike(np.array([1]))
    assert read(found).equal(read(plain))


def test_cells_hold_the_bits_and_what_checks_them() -> None:
    bits = Memory(INT8).read(np.arange(320))
    for protection in ("none", "triple"):
        held = cells(INT8, protection)
        assert (held.read(np.arange(held.size)) == np.resize(bits, held.size)).all()
    held = cells(INT8, "secded")
    code = ExtendedHamming(CODEWORD)
    assert (held.read(np.arange(held.size)).reshape(-1, CODEWORD) == code.encode(bits.reshape(-1, WORD))).all()
    held = cells(SMALL, "in_place")
    word = held.read(np.arange(WORD)).reshape(8, 8)
    small = Memory(SMALL).read(np.arange(WORD)).reshape(8, 8)
    assert (small[:7, 0] == small[:7, 1]).all()
    assert (np.delete(word, 1, 1) == np.delete(small, 1, 1)).all()
    assert word[7, 1] == small[7, 1]


def test_in_place_halves_codes_and_keeps_weights_to_a_step() -> None:
    assert SMALL["w"].values.abs().max() <= 64
    assert (SMALL["w"].weight() - INT8["w"].weight()).abs().max() <= 1
    with pytest.raises(DoesNotApplyError, match="needs weights of 8 bits"):
        made_small(TERNARY)


def test_weights_beyond_the_last_word_are_not_protected_in_place() -> None:
    stored = made_small({"w": coded(CODES[:1], torch.ones(1, 1), 8)})  # 80 bits: one word, and two weights
    found = cells(stored, "in_place")
    found.strike(np.array([5, 64]))
    changed = (read(found) != stored["w"].weight()).flatten().nonzero().flatten()
    assert changed.tolist() == [8]
