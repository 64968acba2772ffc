"""What many tests share: real models on real images."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from robench import zoo
from robench.core.errors import NotHereError
from robench.data.base import Dataset
from robench.data.load import load
from robench.engine.model import ModelUnderTest
from robench.engine.prepare import prepare

CPU = torch.device("cpu")
CHROMIUM = "/usr/bin/chromium"


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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser."""
    if not shutil.which(CHROMIUM):
        pytest.skip(f"there is no {CHROMIUM}; install Debian's package chromium to run this test")
    playwright = pytest.importorskip("playwright.sync_api", reason="install robench[test] to run this test")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
