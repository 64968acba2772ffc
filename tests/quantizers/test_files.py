import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from robench import zoo
from robench.core.errors import RobenchError
from robench.quantizers import files
from robench.quantizers.files import ActivationCode, StoredModel
from robench.quantizers.stored import StoredWeight, coded


def test_file_round_trip(tmp_path: Path) -> None:
    ternary = coded(torch.tensor([[[1]], [[-1]]], dtype=torch.int8), torch.tensor([[0.25]]), 2)
    zero = torch.tensor([[3, 4]], dtype=torch.int16)
    int5 = StoredWeight(torch.tensor([[-16, 15], [0, 7]], dtype=torch.int8), "offset_binary", 5, torch.ones(1, 2), zero)
    floats = {"fc.bias": torch.randn(3), "half.weight": torch.randn(2, 2).to(torch.bfloat16)}
    activations = {"fc": ActivationCode(0.1, 7, 8)}
    saved = StoredModel(floats, {"conv.weight": ternary, "fc.weight": int5}, activations)
    files.save(tmp_path / "w.safetensors", saved)
    read = files.load(tmp_path / "w.safetensors")
    assert set(read.floats) == set(floats)
    assert all(torch.equal(read.floats[name], tensor) for name, tensor in floats.items())
    assert read.activations["fc"].scale == pytest.approx(0.1)
    assert (read.activations["fc"].zero_point, read.activations["fc"].bits) == (7, 8)
    read_codes = read.codes
    for name, stored in (("conv.weight", ternary), ("fc.weight", int5)):
        assert torch.equal(read_codes[name].values, stored.values)
        assert torch.equal(read_codes[name].weight(), stored.weight())
        assert read_codes[name].encoding == stored.encoding


def test_files_from_before_encodings_were_named_are_read(tmp_path: Path) -> None:
    ternary = coded(torch.tensor([[1, 0, -1]], dtype=torch.int8), torch.tensor([[0.25]]), 2)
    layout = {"w": {"bits": 2, "shape": [1, 3]}}
    tensors = {"w.codes": ternary.pack(), "w.scale": torch.tensor([[0.25]])}
    save_file(tensors, tmp_path / "old.safetensors", metadata={"lowbit": json.dumps(layout)})
    codes = files.load(tmp_path / "old.safetensors").codes
    assert codes["w"].encoding == "ternary"
    assert torch.equal(codes["w"].values, ternary.values)


def test_codes_and_scales_stay_with_the_model() -> None:
    loaded = zoo.load("ttq_resnet20", "digits", 10)
    state = loaded.module.state_dict()
    coded_ones = {name: stored for name, stored in loaded.stored.items() if stored.is_coded}
    assert len(loaded.stored) == 20
    assert len(coded_ones) == 18
    assert all(torch.equal(state[name], stored.weight()) for name, stored in loaded.stored.items())


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        ({"w": {"bits": 3, "shape": [1, 3], "encoding": "ternary"}}, "the encoding ternary has 2 bits, not 3"),
        ({"w": {"bits": 2, "shape": [1, 99], "encoding": "ternary"}}, "take uint8"),
        ({"w": {"bits": 2}}, "cannot be read"),
        ({"v": {"bits": 2, "shape": [1, 3]}}, "cannot be read"),
    ],
)
def test_a_layout_that_does_not_fit_is_one_sentence(layout: dict, sentence: str, tmp_path: Path) -> None:
    tensors = {"w.codes": torch.zeros(1, 1, dtype=torch.uint8), "w.scale": torch.ones(1, 1)}
    save_file(tensors, tmp_path / "w.safetensors", metadata={"lowbit": json.dumps(layout)})
    with pytest.raises(RobenchError, match=sentence):
        files.load(tmp_path / "w.safetensors")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RobenchError, match="there is no weights file"):
        files.load(tmp_path / "none.safetensors")


def test_a_file_cut_short_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    files.save(path, StoredModel({"a": torch.zeros(100)}, {}))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RobenchError, match="cannot be read"):
        files.load(path)
