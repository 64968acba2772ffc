"""Checkpoints as trainers write them, for the models that they were trained as."""

import argparse
import copy
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from robench.core.errors import RobenchError, RobenchWarning
from robench.zoo.checkpoints import load_checkpoint, matched, read_checkpoint


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 5))


def trained() -> dict[str, torch.Tensor]:
    state = {name: tensor + 1 for name, tensor in network().state_dict().items()}
    assert state["1.num_batches_tracked"] == 1
    return state


def prefixed(*prefixes: str) -> dict[str, torch.Tensor]:
    return {f"{''.join(prefixes)}{name}": tensor for name, tensor in trained().items()}


def test_what_torch_has_not_written_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"0.weight": [1.0]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RobenchError, match=r"is a pickle that torch has not written, and may run code; save"):
            read_checkpoint(path)
        path.write_bytes(b"<html>not found</html>")
        with pytest.raises(RobenchError, match=r"is damaged, or no file of torch's; save model\.state_dict"):
            read_checkpoint(path)
        torch.save(trained(), path, _use_new_zipfile_serialization=False)
        assert read_checkpoint(path).keys() == trained().keys()


FILES: list[tuple[Callable[[], object], str]] = [
    (trained, "plain"),
    (lambda: {"state_dict": prefixed("model."), "epoch": 3}, "Lightning"),
    (lambda: prefixed("_orig_mod."), "torch.compile"),
    (lambda: {"model": prefixed("module.", "_orig_mod."), "optimizer": {}}, "both"),
    (lambda: prefixed("backbone."), "backbone"),
    (lambda: {"net": prefixed("net.")}, "net"),
    (lambda: {"weights": trained()}, "weights"),
    (lambda: trained() | {"total_ops": torch.zeros(1), "3.total_params": torch.zeros(1)}, "counters on top"),
    (lambda: {name: t for name, t in trained().items() if "tracked" not in name}, "no counters"),
]


@pytest.mark.parametrize(("make", "name"), FILES)
def test_what_trainers_write_loads(make: Callable[[], object], name: str, tmp_path: Path) -> None:
    torch.save(make(), tmp_path / "c.pt")
    module = network()
    load_checkpoint(module, tmp_path / "c.pt")
    for key, tensor in trained().items():
        if "tracked" not in key or name != "no counters":
            assert torch.equal(module.state_dict()[key], tensor)


def test_a_bare_network_loads_behind_a_normalisation(tmp_path: Path) -> None:
    save_file(prefixed("backbone."), tmp_path / "c.safetensors")
    wrapped = nn.Sequential(nn.Identity(), network())
    load_checkpoint(wrapped, tmp_path / "c.safetensors")
    assert torch.equal(wrapped[1][3].weight, trained()["3.weight"])


def test_missing_and_unexpected_keys_are_told_in_brief() -> None:
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(9)))
    state = copy.deepcopy(model.state_dict())
    for index in range(1, 6):
        state[f"{index}.scale"] = state.pop(f"{index}.weight")
    with pytest.raises(RobenchError) as raised:
        matched(model, state, "c.pt")
    assert "1.weight, 2.weight, 3.weight and 2 more are missing" in str(raised.value)
    assert "the model has no 1.scale, 2.scale, 3.scale and 2 more" in str(raised.value)


REFUSED: list[tuple[object, str]] = [
    ({"args": argparse.Namespace(), "model": {}}, r"it holds more than tensors \(argparse.Namespace\)"),
    (nn.Linear(2, 2), r"it holds more than tensors \(torch.nn.modules.linear.Linear\)"),
    ({"epoch": 1, "metrics": {"a": 1.0}}, r"no state dict of plain tensors \(on top it has epoch, metrics\)"),
]


@pytest.mark.parametrize(("value", "sentence"), REFUSED)
def test_what_is_no_state_dict_says_what_it_is(value: object, sentence: str, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "c.pt")
    with pytest.raises(RobenchError, match=sentence):
        read_checkpoint(tmp_path / "c.pt")


def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(tmp_path / "c.pt"))
    with pytest.raises(RobenchError, match="is a whole program of TorchScript, and no state dict"):
        read_checkpoint(tmp_path / "c.pt")
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),)), str(tmp_path / "c.pt2"))
    with pytest.raises(RobenchError, match=r"is a whole program of torch.export"):
        read_checkpoint(tmp_path / "c.pt2")


def in_order(names: list[str]) -> dict[str, torch.Tensor]:
    tensors = [tensor for name, tensor in trained().items() if not name.endswith("num_batches_tracked")]
    return dict(zip(names, tensors, strict=True))


OTHER = [f"x{i}.{part}" for i, part in enumerate(("weight", "bias", "weight", "bias", "running_mean", "running_var"))]
OTHER += ["y.weight", "y.bias"]


def test_tensors_by_their_order_are_said(tmp_path: Path) -> None:
    torch.save(in_order(OTHER), tmp_path / "net.pt")
    module = network()
    with pytest.warns(RobenchWarning, match="share no names; its tensors are taken in their order in the file"):
        load_checkpoint(module, tmp_path / "net.pt")
    torch.testing.assert_close(module[0].weight.data, network()[0].weight.data + 1)


def test_an_order_that_tells_nothing_is_not_gone_by(tmp_path: Path) -> None:
    """Once safetensors' names in sorted order put biases where running means belong, with equal shapes."""
    save_file(in_order(OTHER), tmp_path / "net.safetensors")
    with pytest.raises(RobenchError, match="a safetensors file keeps no order to go by"):
        load_checkpoint(network(), tmp_path / "net.safetensors")
    state = in_order(OTHER)
    swapped = {name: state[name] for name in [*OTHER[:4], OTHER[5], OTHER[4], *OTHER[6:]]}
    torch.save(swapped, tmp_path / "net.pt")
    with pytest.raises(RobenchError, match=r"tensor 5 is x5.running_var \[4\] there and 1.running_mean \[4\] here"):
        load_checkpoint(network(), tmp_path / "net.pt")


def test_weights_in_several_safetensors_files(tmp_path: Path) -> None:
    state = trained()
    names = list(state)
    save_file({name: state[name] for name in names[:3]}, tmp_path / "a.safetensors")
    save_file({name: state[name] for name in names[3:]}, tmp_path / "b.safetensors")
    files = {name: "a.safetensors" if name in names[:3] else "b.safetensors" for name in names}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    assert read_checkpoint(index).keys() == state.keys()
    index.write_text(json.dumps({"weight_map": {"x": "../a.safetensors"}}))
    with pytest.raises(RobenchError, match="which is no safetensors file beside it"):
        read_checkpoint(index)
    index.write_text("[]")
    with pytest.raises(RobenchError, match="it has no weight_map"):
        read_checkpoint(index)
