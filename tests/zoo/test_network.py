"""Offline, nothing waits for retries."""

import socket
import time
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants

from robench.core.errors import NotHereError, RobenchError
from robench.zoo import hub, network
from robench.zoo.external import create_timm


def answer(monkeypatch: pytest.MonkeyPatch, head) -> None:
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: SimpleNamespace(head=head))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(url: str, timeout: float) -> None:
        raise ConnectionError("nobody is there")

    answer(monkeypatch, refused)


def test_an_answer_is_one_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    answer(monkeypatch, lambda url, timeout: asked.append((url, timeout)))
    assert network.reachable()
    assert asked == [(constants.ENDPOINT, network.PATIENCE)]


def test_a_hub_that_says_nothing_is_waited_for_no_longer_than_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PATIENCE", 0.1)
    answer(monkeypatch, lambda url, timeout: time.sleep(2))
    started = time.monotonic()
    assert not network.reachable()
    assert time.monotonic() - started < 1.5


def test_libraries_are_offline_as_long_as_the_block_lasts(offline: None) -> None:
    with network.cache_alone_if_offline() as online:
        assert not online
        assert constants.is_offline_mode()
        assert socket.getdefaulttimeout() == network.SILENCE
    assert not constants.is_offline_mode()
    assert socket.getdefaulttimeout() is None


def test_pretrained_weights_offline_are_one_sentence_at_once(
    offline: None, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(RobenchError, match="are not in the cache and could not be fetched; give a file"):
        create_timm("test_resnet", 10, pretrained=True)
    assert time.monotonic() - started < 20  # the client's own retries take a minute


def test_a_model_on_the_hub_offline_is_one_sentence(offline: None) -> None:
    with pytest.raises(NotHereError, match="hf:a/b could not be fetched: the Hugging Face Hub does not answer"):
        hub.fetch_model("hf:a/b")
