"""Stored weights: patterns, packing and what does not fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robench.core.errors import RobenchError
from robench.quantizers.encodings import ENCODINGS, IntegerEncoding, encoding_named
from robench.quantizers.stored import StoredWeight, coded, stored_float, unpack

FORMS = [(name, bits) for name, encoding in ENCODINGS.items() for bits in encoding.widths]
CODED = [(name, bits) for name, bits in FORMS if isinstance(ENCODINGS[name], IntegerEncoding)]


def random_weight(name: str, bits: int, shape: tuple[int, ...], seed: int = 0) -> StoredWeight:
    encoding, rng = encoding_named(name, bits), np.random.default_rng(seed)
    patterns = rng.integers(0, 2**bits, shape, np.uint32)
    values = encoding.from_patterns(patterns, bits).view(shape)
    scale = torch.tensor([[0.5]]) if isinstance(encoding, IntegerEncoding) else None
    return StoredWeight(values, name, bits, scale)


@given(st.sampled_from(FORMS), st.integers(1, 5), st.integers(1, 19), st.integers(0, 2**31))
def test_packing_is_undone_bit_for_bit_at_any_width(
    form: tuple[str, int], filters: int, length: int, seed: int
) -> None:
    name, bits = form
    stored = random_weight(name, bits, (filters, length), seed)
    packed = stored.pack()
    assert packed.dtype == torch.uint8
    assert packed.shape == (filters, -(-length * bits // 8))
    again = replace(stored, values=unpack(packed, name, bits, (filters, length)))
    assert np.array_equal(again.patterns(), stored.patterns())
    assert torch.equal(again.values.view(torch.uint8), stored.values.view(torch.uint8))


@pytest.mark.parametrize(("name", "bits"), CODED)
def test_every_pattern_stands_for_a_valid_code(name: str, bits: int) -> None:
    encoding = encoding_named(name, bits)
    assert isinstance(encoding, IntegerEncoding)
    codes = encoding.from_patterns(np.arange(2**bits, dtype=np.uint32), bits)
    assert set(codes.tolist()) == set(encoding.valid(bits).tolist())
    assert torch.equal(encoding.from_patterns(encoding.to_patterns(codes, bits), bits), codes)


@pytest.mark.parametrize(
    ("name", "bits", "patterns"),
    [
        ("sign", 1, {-1: "0", 1: "1"}),
        ("ternary", 2, {-1: "00", 0: "01", 1: "10"}),
        ("twos_complement", 2, {-2: "10", -1: "11", 0: "00", 1: "01"}),
        ("twos_complement", 8, {-128: "10000000", -1: "11111111", 0: "00000000", 127: "01111111"}),
        ("offset_binary", 4, {-8: "0000", 0: "1000", 7: "1111"}),
        ("sign_magnitude", 4, {-7: "1111", 0: "0000", 7: "0111"}),
    ],
)
def test_patterns_are_the_documented_ones(name: str, bits: int, patterns: dict[int, str]) -> None:
    codes = torch.tensor([list(patterns)], dtype=torch.int8)
    found = StoredWeight(codes, name, bits, torch.ones(1, 1)).patterns()[0]
    assert [format(pattern, f"0{bits}b") for pattern in found] == list(patterns.values())


def test_what_no_code_uses_reads_as_zero() -> None:
    assert unpack(torch.tensor([[0b11_10_00_00]], dtype=torch.uint8), "ternary", 2, (1, 2)).tolist() == [[0, 1]]
    assert encoding_named("sign_magnitude", 3).from_patterns(np.array([0b100], np.uint32), 3).tolist() == [0]


def test_floats_are_their_ieee_bits() -> None:
    stored = stored_float(torch.tensor([[1.0, -2.0, 0.0]]))
    assert [hex(pattern) for pattern in stored.patterns()[0]] == ["0x3f800000", "0xc0000000", "0x0"]
    flipped = stored.with_patterns(stored.patterns() ^ np.uint32(1 << 30))
    assert flipped.weight()[0, 0].isinf()
    assert torch.equal(flipped.with_patterns(stored.patterns()).weight(), stored.weight())
    assert stored_float(torch.ones(1, 2, dtype=torch.bfloat16)).patterns().tolist() == [[0x3F80, 0x3F80]]


def test_weights_by_hand() -> None:
    codes = torch.tensor([[-1, 0, 1], [1, 1, -1]], dtype=torch.int8)
    assert coded(codes, torch.tensor([[0.5]]), 2).weight().tolist() == [[-0.5, 0, 0.5], [0.5, 0.5, -0.5]]
    assert coded(codes, torch.tensor([[0.5, 2.0]]), 2).weight().tolist() == [[-0.5, 0, 0.5], [2, 2, -2]]
    each_sign = coded(codes, torch.tensor([[3.0], [0.5]]), 2)
    assert each_sign.weight().tolist() == [[-3, 0, 0.5], [0.5, 0.5, -3]]
    zero = torch.tensor([[-1]], dtype=torch.int16)
    assert coded(codes, torch.tensor([[0.5]]), 8, zero).weight().tolist() == [[0, 0.5, 1], [1, 1, 0]]


def test_nearest_codes() -> None:
    values = np.array([-9.0, -0.6, 0.2, 0.49, 0.51, 3.0])
    assert encoding_named("ternary", 2).nearest(values, 2).tolist() == [-1, -1, 0, 0, 1, 1]  # type: ignore[attr-defined]
    assert encoding_named("sign", 1).nearest(values, 1).tolist() == [-1, -1, 1, 1, 1, 1]  # type: ignore[attr-defined]


ONES, SCALE = torch.ones(2, 3, dtype=torch.int8), torch.ones(1, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((ONES, "tenary", 2, SCALE), "did you mean ternary"),
        ((ONES, "sign", 2, SCALE), "the encoding sign has 1 bits, not 2"),
        ((7 * ONES, "ternary", 2, SCALE), "has codes from 7 to 7; they may run from -1 to 1"),
        ((0 * ONES, "sign", 1, SCALE), "has other codes than -1, 1"),
        ((ONES, "ternary", 2, None), "needs scales"),
        ((ONES, "ternary", 2, torch.ones(1, 3)), "one for each of 2 filters, and has 3"),
        ((ONES, "ternary", 2, SCALE * float("nan")), "scales that are not finite"),
        ((ONES, "twos_complement", 8, SCALE, torch.ones(1, 2, dtype=torch.int16)), r"zero points int16 \[1, 1\]"),
        ((ONES.float(), "ternary", 2, SCALE), "needs int8 codes"),
        ((ONES.double(), "float32", 32), "holds torch.float64"),
        ((ONES.float(), "float32", 32, SCALE), "has scales, which floats do not need"),
    ],
)
def test_what_does_not_fit_is_one_sentence(arguments: tuple, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        StoredWeight(*arguments)


def test_bytes_of_another_number_are_refused() -> None:
    with pytest.raises(RobenchError, match=r"take uint8 \[2, 3\], and these are"):
        unpack(torch.zeros(2, 2, dtype=torch.uint8), "twos_complement", 8, (2, 3))
