"""One network of the zoo in every format, float and INT8."""

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from robench import zoo
from robench.data.base import Dataset
from robench.data.load import load_calibration

BATCH = {0: torch.export.Dim("n", min=1, max=4096)}


@pytest.fixture(scope="session")
def network() -> torch.nn.Module:
    return zoo.load("fp_resnet20", "digits", 10).module.requires_grad_(False)


@pytest.fixture(scope="session")
def training(digits: Dataset) -> torch.Tensor:
    return torch.from_numpy(load_calibration("digits", None).images[:64]).float() / 255


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="session")
def scripted(network: torch.nn.Module, folder: Path) -> Path:
    torch.jit.script(network).save(folder / "fp.ts")
    return folder / "fp.ts"


@pytest.fixture(scope="session")
def exported(network: torch.nn.Module, training: torch.Tensor, folder: Path) -> Path:
    torch.export.save(torch.export.export(network, (training[:2],), dynamic_shapes=(BATCH,)), folder / "fp.pt2")
    return folder / "fp.pt2"


@pytest.fixture(scope="session")
def float_onnx(network: torch.nn.Module, training: torch.Tensor, folder: Path) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (training[:1],), folder / "fp.onnx", dynamo=False, opset_version=17, **names)
    return folder / "fp.onnx"


@pytest.fixture(scope="session")
def int8_onnx(float_onnx: Path, training: torch.Tensor, folder: Path) -> Path:
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = iter(training.numpy().astype(np.float32).reshape(2, 32, *training.shape[1:]))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"x": batch}

    settings = {"quant_format": quantization.QuantFormat.QDQ, "per_channel": True}
    quantization.quantize_static(float_onnx, folder / "int8.onnx", Reader(), **settings)
    return folder / "int8.onnx"


@pytest.fixture(scope="session")
def int8_scripted(network: torch.nn.Module, training: torch.Tensor, folder: Path) -> Path:
    """With torch.ao's FX quantization."""
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = prepare_fx(copy.deepcopy(network), get_default_qconfig_mapping("x86"), (training[:1],))
        prepared(training)
        torch.jit.trace(convert_fx(prepared), training[:2]).save(folder / "int8.ts")
    return folder / "int8.ts"
