from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robench.core.errors import RobenchError
from robench.quantizers import packing
from robench.quantizers.base import LowBit


@given(st.integers(1, 5), st.integers(1, 19), st.integers(0, 2**31), st.sampled_from([1, 2]))
def test_round_trip_is_exact(filters: int, length: int, seed: int, bits: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    codes = torch.randint(-1, 2, (filters, length), generator=rng, dtype=torch.int8)
    if bits == 1:
        codes = codes * 2 + 1
        codes = codes.clamp(-1, 1)
    packed = packing.pack(codes, bits)
    assert packed.shape == (filters, -(-length * bits // 8))
    assert torch.equal(packing.unpack(packed, bits, (filters, length)), codes)


def test_two_bit_codes_are_the_documented_ones() -> None:
    packed = packing.pack(torch.tensor([[-1, 0, 1, -1]], dtype=torch.int8), 2)
    assert packed.tolist() == [[0b00_01_10_00]]


def test_the_unused_code_reads_as_zero() -> None:
    assert packing.unpack(torch.tensor([[0b11_10_00_00]], dtype=torch.uint8), 2, (1, 2)).tolist() == [[0, 1]]


def test_file_round_trip(tmp_path: Path) -> None:
    lowbit = LowBit(torch.tensor([[[1]], [[-1]]], dtype=torch.int8), torch.tensor([[0.25]]), 2)
    floats = {"fc.bias": torch.randn(3)}
    packing.save(tmp_path / "w.safetensors", floats, {"conv.weight": lowbit})
    read_floats, read_lowbits = packing.load(tmp_path / "w.safetensors")
    assert torch.equal(read_floats["fc.bias"], floats["fc.bias"])
    assert torch.equal(read_lowbits["conv.weight"].codes, lowbit.codes)
    assert torch.equal(read_lowbits["conv.weight"].scale, lowbit.scale)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="there is no weights file"):
        packing.load(tmp_path / "none.safetensors")


def test_a_file_cut_short_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    packing.save(path, {"a": torch.zeros(100)}, {})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RobenchError, match="cannot be read"):
        packing.load(path)
