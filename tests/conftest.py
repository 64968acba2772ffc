"""What many tests share: real models on real images."""

import os
from pathlib import Path

import pytest
import torch

from robench import zoo
from robench.core.errors import NotHereError
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="session")
def cifar10() -> Dataset:
    folder = os.environ.get("ROBENCH_DATA")
    if not folder:
        pytest.skip("set ROBENCH_DATA to a folder with CIFAR-10 to run this test")
    try:
        return load("cifar10", data_dir=Path(folder))
    except NotHereError as error:  # a damaged one fails
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def fp_digits(digits: Dataset) -> ModelUnderTest:
    """A convolutional network that takes a third of a ResNet-20's time."""
    return prepare(zoo.load("tr_none_nc", "digits", 10), digits, CPU)


@pytest.fixture(scope="session")
def resnet_digits(digits: Dataset) -> ModelUnderTest:
    return prepare(zoo.load("fp_resnet20", "digits", 10), digits, CPU)


@pytest.fixture(scope="session")
def twn_digits(digits: Dataset) -> ModelUnderTest:
    return prepare(zoo.load("twn_resnet20", "digits", 10), digits, CPU)
