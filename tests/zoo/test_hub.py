"""The Hugging Face Hub as a source; the hub itself is played by a folder."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from robench import zoo
from robench.core.errors import RobenchError
from robench.zoo import hub
from robench.zoo.add import write_card

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(zoo.root() / "digits" / "twn_resnet20", tmp_path / "repository"))

    def download(name: str, file: str, revision: str) -> str:
        assert (name, revision) == ("someone/twn", COMMIT)
        if not (folder / file).is_file():
            raise huggingface_hub.errors.EntryNotFoundError(f"404: {file}")
        return str(folder / file)

    api = SimpleNamespace(model_info=lambda name, revision: SimpleNamespace(sha=COMMIT))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(hub, "reachable", lambda: True)
    return folder


def test_a_model_on_the_hub_loads_and_its_card_pins_the_revision(repository: Path) -> None:
    loaded = zoo.load("hf:someone/twn", "digits", 10)
    assert (loaded.card.name, loaded.card.source) == ("hf:someone/twn", f"hf:someone/twn@{COMMIT}")
    assert any(weight.is_coded for weight in loaded.stored.values())
    assert zoo.benchmarks("hf:someone/twn@main") == ["digits"]


def test_a_checkpoint_on_the_hub_is_a_file_with_a_source(repository: Path) -> None:
    path, source = hub.fetch_checkpoint("hf:someone/twn/weights.safetensors")
    assert path == repository / "weights.safetensors"
    assert source == f"hf:someone/twn@{COMMIT}/weights.safetensors"
    assert hub.fetch_checkpoint("here/weights.pt") == (Path("here/weights.pt"), "")


def test_code_on_the_hub_is_not_run(repository: Path) -> None:
    for architecture in ("model.py:make", "os:getcwd"):
        write_card(dataclasses.replace(zoo.read_card(repository), architecture=architecture), repository)
        with pytest.raises(RobenchError, match="code of its own"):
            zoo.load("hf:someone/twn", "digits", 10)


@pytest.mark.parametrize(
    ("spec", "sentence"), [("hf:nobody", "not of the form"), ("hf:someone/twn", "name a file of the repository")]
)
def test_a_checkpoint_spec_that_does_not_fit_is_one_sentence(spec: str, sentence: str) -> None:
    with pytest.raises(RobenchError, match=sentence):
        hub.fetch_checkpoint(spec)


def test_a_file_that_is_not_there_is_one_sentence(repository: Path) -> None:
    (repository / "weights.safetensors").unlink()
    with pytest.raises(RobenchError, match="could not be fetched from the Hugging Face Hub: 404"):
        zoo.load("hf:someone/twn", "digits", 10)
