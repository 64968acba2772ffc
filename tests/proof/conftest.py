"""Cards of a network of the zoo: under a whole suite, and of attacks with their witnesses."""

from pathlib import Path

import pytest

import robench
from robench.results.cards import Card, read
from robench.suites.one_line import suite_of

MODEL = "bc_resnet20"


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a card of a whole suite."""
    return robench.evaluate(MODEL, "digits", "quick", gradients="float32").save(tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="session")
def witnesses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("witnesses")


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory, witnesses: Path) -> Path:
    """The file of a card of attacks to which many images fall, with witnesses."""
    suite = suite_of({"attack": ["fgsm@48/255", "pgd@32/255,steps=8", "pgd@2.0,norm=l2,steps=8"]})
    card = robench.evaluate(MODEL, "digits", suite, twin="none", n_images=64, witness=witnesses)
    return card.save(tmp_path_factory.mktemp("attacked"))


@pytest.fixture(scope="session")
def card(honest: Path) -> Card:
    return read(honest)
